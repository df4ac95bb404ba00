"""Cross-validation splits: drawn as nnU-Net draws them, but over subjects, or given.

A split is a list with one ``{"train": cases, "val": cases}`` a fold, as nnU-Net keeps it in
``splits_final.pkl``. Where every subject has one case, the drawn split is nnU-Net's own: five
folds, shuffled, ``random_state=12345``.
"""

from __future__ import annotations

import csv
import json
import warnings
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnplug.errors import ConfigError, DataError

SPLITS = "splits_final.pkl"
FOLDS = 5
SEED = 12345
SIDES = ("train", "val")

Fold = Mapping[str, Sequence[str]]


def draw(
    subjects: Mapping[str, str], strata: Mapping[str, str] | None = None
) -> list[OrderedDict[str, Any]]:
    """Five folds in which a subject is never on both sides.

    Args:
        subjects: case to subject.
        strata: case to a category that every fold should have in the same proportion.

    Raises:
        DataError: fewer subjects than folds, or no category with as many cases.
    """
    from sklearn.model_selection import KFold, StratifiedGroupKFold

    if len(set(subjects.values())) == len(subjects):
        subjects = dict(zip(subjects, subjects, strict=True))
    names = sorted(set(subjects.values()))
    if len(names) < FOLDS:
        raise DataError(
            f"{len(names)} subjects can't be split into {FOLDS} folds",
            hint="use fold=all, or set dataset.subject if cases are independent",
        )
    cases = sorted(subjects)
    if strata is None:
        over = KFold(FOLDS, shuffle=True, random_state=SEED)
        drawn = [{names[index] for index in chosen} for _, chosen in over.split(names)]
        validated = [{case for case in cases if subjects[case] in who} for who in drawn]
    else:
        values = [strata[case] for case in cases]
        largest = Counter(values).most_common(1)[0]
        if largest[1] < FOLDS:
            raise DataError(
                f"no value of that column has {FOLDS} cases; the most frequent, {largest[0]!r}, "
                f"has {largest[1]}",
                hint="put numbers into a few groups first",
            )
        grouped = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            parts = grouped.split(cases, values, [subjects[case] for case in cases])
            validated = [{cases[index] for index in chosen} for _, chosen in parts]
    return [
        arranged({"train": [c for c in cases if c not in val], "val": sorted(val)})
        for val in validated
    ]


def arranged(fold: Fold) -> OrderedDict[str, Any]:
    """One fold as nnU-Net stores it."""
    return OrderedDict((side, np.array(sorted(fold[side]))) for side in SIDES)


def check(
    split: Sequence[Fold], subjects: Mapping[str, str], *, shared_subjects: bool = False
) -> list[str]:
    """Look whether a split can be trained with.

    Args:
        split: the folds.
        subjects: every training case, to its subject.
        shared_subjects: allow a subject on both sides.

    Returns:
        What should be said, e.g. which cases a fold leaves out.

    Raises:
        DataError: a fold is empty, names a case that is not there, or has one on both sides.
    """
    notes = []
    for number, fold in enumerate(split):
        sides = [set(fold[side]) for side in SIDES]
        if not all(sides):
            raise DataError(f"fold {number} has no cases to {'validate' if sides[0] else 'train'}")
        if unknown := (sides[0] | sides[1]) - set(subjects):
            raise DataError(f"fold {number} names cases that are not there: {_some(unknown)}")
        if both := sides[0] & sides[1]:
            raise DataError(f"fold {number} has cases on both sides: {_some(both)}")
        if not shared_subjects:
            who = [{subjects[case] for case in side} for side in sides]
            if shared := who[0] & who[1]:
                raise DataError(
                    f"fold {number} has subjects on both sides: {_some(shared)}",
                    hint="keep a subject's cases together, or allow it with "
                    "split.shared_subjects=true",
                )
        if left := set(subjects) - sides[0] - sides[1]:
            notes.append(f"fold {number} leaves out {_some(left)}")
    return notes


def from_json(path: Path) -> list[Fold]:
    """The layout of nnU-Net v2's ``splits_final.json``: ``[{"train": [...], "val": [...]}, ...]``.

    Raises:
        DataError: it can't be read as that.
    """
    try:
        return folds(json.loads(path.read_text(encoding="utf-8")), path)
    except (OSError, ValueError) as error:
        raise DataError(f"not a JSON file that can be read: {error}", where=str(path)) from error


def folds(content: Any, path: Path) -> list[Fold]:
    """The folds in what a file holds.

    Raises:
        DataError: it has another layout.
    """
    try:
        found = [{side: [_name(case) for case in fold[side]] for side in SIDES} for fold in content]
    except (TypeError, KeyError, IndexError):
        found = []
    if not found:
        raise DataError(
            "not a split", where=str(path), hint='a list like [{"train": [...], "val": [...]}]'
        )
    return list(found)


def strata(path: Path, column: str, names: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """One column of a table, by case.

    Args:
        path: a CSV file with a column ``case`` (nnU-Net's identifier), ``original`` (the case's
            name in the source) or ``subject``; the first of these that it has is taken.
        column: the one to read.
        names: every training case, to its name in each of those columns.

    Raises:
        ConfigError: there is no such column.
        DataError: the file can't be read, or some cases are not in it.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"not a table that can be read: {error}", where=str(path)) from error
    columns = [name for name in (rows[0] if rows else {}) if name]
    if column not in columns:
        raise ConfigError(
            f"{path} has no column {column!r}",
            where="split.stratify",
            hint=f"its columns: {', '.join(columns) or 'none'}",
        )
    key = next((name for name in ("case", "original", "subject") if name in columns), None)
    if key is None:
        raise DataError("there is no column case, original or subject", where=str(path))
    values = {row[key]: row[column] or "" for row in rows}
    if missing := {row[key] for row in names.values()} - set(values):
        raise DataError(f"not in the column {key}: {_some(missing)}", where=str(path))
    return {case: values[row[key]] for case, row in names.items()}


def _name(case: Any) -> str:
    if not isinstance(case, str):
        raise TypeError
    return str(case)


def _some(names: set[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return ", ".join(listed[:5]) + more
