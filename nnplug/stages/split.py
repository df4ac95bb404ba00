"""The split of a task: drawn, stratified or given, written once and never replaced."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from nnplug.config.folders import Folders
from nnplug.config.settings import Fold as Number
from nnplug.config.settings import ModelSettings
from nnplug.console import warn
from nnplug.data import splits
from nnplug.data.taskfolder import CASE_MAP, TaskFolder
from nnplug.errors import DataError
from nnplug.stages.locking import locked
from nnplug.stages.steps import Look
from nnplug.whole import replacing


def ensure(settings: ModelSettings, folders: Folders) -> None:
    """Write ``splits_final.pkl`` as it is asked for, or look at the one that is there.

    ``fold=all`` needs none. Without any key of ``split`` one that is there is kept.

    Raises:
        ConfigError: a column that is not there.
        DataError: it can't be split so, or another split is there.
    """
    if settings.fold == "all":
        return
    path = _path(settings, folders)
    with locked(path.parent, "is being split", name=".nnplug.split.lock"):
        if look(settings, folders).state == "done":
            _say(splits.check(existing(path), _subjects(settings, folders), shared_subjects=True))
            return
        split = wanted(settings, folders)
        with replacing(path) as partial:
            partial.write_bytes(pickle.dumps([splits.arranged(fold) for fold in split]))


def look(settings: ModelSettings, folders: Folders) -> Look:
    """Whether the split is there.

    Raises:
        ConfigError, DataError: as :func:`ensure`.
    """
    if settings.fold == "all":
        return Look("done", "fold=all needs none")
    path = _path(settings, folders)
    if not path.is_file():
        return Look("missing", "not written")
    there = existing(path)
    asked = settings.split.file is not None or settings.split.stratify is not None
    if asked and _plain(wanted(settings, folders)) != _plain(there):
        raise DataError(
            "the task has another split than the one asked for",
            where=str(path),
            hint="leave split.* out, or remove the file; folds trained with it can't be resumed",
        )
    return Look("done", f"{len(there)} folds")


def wanted(settings: ModelSettings, folders: Folders) -> Sequence[splits.Fold]:
    """The split as it is asked for; raises as :func:`ensure`."""
    task = TaskFolder(folders.task(settings.dataset.task))
    names, subjects = _names(task), _subjects(settings, folders)
    asked = settings.split
    if asked.file is not None:
        split = _renamed(_read(asked.file), names)
        try:
            notes = splits.check(split, subjects, shared_subjects=asked.shared_subjects)
        except DataError as error:
            raise DataError(error.problem, where=str(asked.file), hint=error.hint) from error
        if isinstance(settings.fold, int) and settings.fold >= len(split):
            raise DataError(f"there is no fold {settings.fold}", where=str(asked.file))
        _say(notes)
        return split
    try:
        if asked.stratify is None:
            return splits.draw(subjects)
        table = asked.table or task.path / CASE_MAP
        return splits.draw(subjects, splits.strata(table, asked.stratify, names))
    except DataError as error:
        raise DataError(
            error.problem, where=error.where or str(task.path), hint=error.hint
        ) from error


def numbers(settings: ModelSettings, folders: Folders) -> Sequence[Number]:
    """The folds that there are, or will be, to predict every case.

    Raises:
        DataError: there are cases that no fold validates.
    """
    path = _path(settings, folders)
    if not path.is_file():
        given = settings.split.file
        return _numbered(splits.FOLDS if given is None else len(_read(given)))
    there = existing(path)
    validated = {case for fold in there for case in fold["val"]}
    if lost := sorted(set(_subjects(settings, folders)) - validated):
        raise DataError(
            f"no fold validates {', '.join(lost[:5])}",
            where=str(path),
            hint="the cascade takes a prediction of every case from the fold that validates it",
        )
    return _numbered(len(there))


def _numbered(count: int) -> Sequence[Number]:
    return cast("Sequence[Number]", range(count))


def existing(path: Path) -> list[splits.Fold]:
    """A ``splits_final.pkl``; raises DataError if it is none."""
    from nnplug.engine.safe import read_pickle

    return splits.folds(read_pickle(path), path)


def _path(settings: ModelSettings, folders: Folders) -> Path:
    return folders.preprocessed / settings.dataset.task / splits.SPLITS


def _read(path: Path) -> list[splits.Fold]:
    return existing(path) if path.suffix == ".pkl" else splits.from_json(path)


def _names(task: TaskFolder) -> dict[str, dict[str, str]]:
    """Every training case, to what it is called in ``case_map.csv``."""
    rows = {row.case: row for row in task.rows().values()}
    found = {}
    for case in task.training_cases():
        row = rows.get(case)
        original, subject = (row.original, row.subject) if row else (case, case)
        found[case] = {"case": case, "original": original, "subject": subject}
    return found


def _subjects(settings: ModelSettings, folders: Folders) -> dict[str, str]:
    names = _names(TaskFolder(folders.task(settings.dataset.task)))
    return {case: row["subject"] for case, row in names.items()}


def _renamed(
    split: Sequence[splits.Fold], names: Mapping[str, Mapping[str, str]]
) -> list[splits.Fold]:
    """With nnU-Net's identifiers, where the file has the names of the source."""
    known = {row["original"]: case for case, row in names.items()}
    return [
        {
            side: [case if case in names else known.get(case, case) for case in cases]
            for side, cases in fold.items()
        }
        for fold in split
    ]


def _plain(split: Sequence[splits.Fold]) -> Any:
    return [[sorted(fold[side]) for side in splits.SIDES] for fold in split]


def _say(notes: Sequence[str]) -> None:
    for note in notes:
        warn(f"split: {note}")
