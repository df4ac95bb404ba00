"""Cross-validation splits in which a subject is never on both sides.

nnU-Net draws its own split (``splits_final.pkl``) when there is none. Where every subject has
one case that is left to it; else the split is written before, over subjects, in the same way:
five folds, shuffled, ``random_state=12345``.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnplug.data.files import replacing
from nnplug.data.taskfolder import TaskFolder
from nnplug.errors import DataError

SPLITS = "splits_final.pkl"
FOLDS = 5
SEED = 12345


def ensure_subject_splits(preprocessed: Path, task: TaskFolder) -> None:
    """Write ``splits_final.pkl`` into the preprocessed task where subjects repeat.

    Raises:
        DataError: fewer than five subjects.
    """
    subjects = {row.case: row.subject for row in task.rows().values() if row.split == "train"}
    path = preprocessed / SPLITS
    if path.exists() or len(set(subjects.values())) == len(subjects):
        return
    if len(set(subjects.values())) < FOLDS:
        raise DataError(
            f"{len(set(subjects.values()))} subjects can't be split into {FOLDS} folds",
            where=str(task.path),
            hint="use fold=all, or set dataset.subject if cases are independent",
        )
    with replacing(path) as partial:
        partial.write_bytes(pickle.dumps(subject_splits(subjects)))


def subject_splits(subjects: Mapping[str, str]) -> list[OrderedDict[str, Any]]:
    """Five folds over subjects; ``subjects`` maps case to subject.

    Returns:
        One ``{"train": cases, "val": cases}`` a fold, as nnU-Net stores it.
    """
    from sklearn.model_selection import KFold

    names = np.sort(np.array(sorted(set(subjects.values()))))
    splits = []
    for train, validation in KFold(FOLDS, shuffle=True, random_state=SEED).split(names):
        sides = {"train": set(names[train]), "val": set(names[validation])}
        splits.append(
            OrderedDict(
                (side, np.array(sorted(case for case, who in subjects.items() if who in chosen)))
                for side, chosen in sides.items()
            )
        )
    return splits
