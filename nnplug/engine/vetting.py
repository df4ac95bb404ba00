"""Look at a planned task before stock code reads it: plain data, whole, and enough cases."""

from __future__ import annotations

from pathlib import Path

from nnplug.config.folders import Folders
from nnplug.engine import environment, plans
from nnplug.engine.safe import read_pickle
from nnplug.engine.unpacking import unpack
from nnplug.errors import DataError


def check_task(folders: Folders, task: str, network: str, fold: int | str, identifier: str) -> None:
    """Check plans, preprocessed cases and split of a task that is about to be trained; unpack it.

    Stock nnU-Net reads the same pickles freely, so nothing but data may be in them.

    Raises:
        DataError: not planned, damaged, or not enough cases for the fold.
    """
    path = plans.plans_file(folders, task, network, identifier)
    if not path.is_file():
        raise DataError(
            f"the task has no plans {path.name}", where=str(path.parent), hint="plan it first"
        )
    folder = plans.stage_folder(folders, task, network, identifier)
    cases = {file.stem for file in folder.glob("*.npz")}
    if not cases:
        raise DataError("no preprocessed cases", where=str(folder), hint="plan the task again")
    for case in sorted(cases):
        read_pickle(folder / f"{case}.pkl")
    unpack(folder, sorted(cases), environment.worker_count())
    _check_fold(path.parent / "splits_final.pkl", cases, fold)


def _check_fold(splits_file: Path, cases: set[str], fold: int | str) -> None:
    if splits_file.is_file():
        splits = read_pickle(splits_file)
        if isinstance(fold, int) and fold < len(splits):
            listed = {str(case) for part in ("train", "val") for case in splits[fold][part]}
            missing = sorted(listed - cases)
            if missing:
                raise DataError(
                    f"fold {fold} lists cases that are not there: {', '.join(missing[:5])}",
                    where=str(splits_file),
                    hint="remove the file for nnU-Net's own split, or plan the task again",
                )
    elif fold != "all" and len(cases) < 5:
        raise DataError(
            f"five folds need at least five cases, here are {len(cases)}",
            where=str(splits_file.parent),
            hint="use fold=all, or add cases",
        )
