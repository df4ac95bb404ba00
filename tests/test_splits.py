"""Cross-validation over subjects, drawn as nnU-Net draws it over cases."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import KFold

from nnplug.data.splits import ensure_subject_splits, subject_splits
from nnplug.data.taskfolder import Row, TaskFolder
from nnplug.errors import DataError


def task(folder: Path, subjects: dict[str, str]) -> TaskFolder:
    made = TaskFolder(folder / "Task301_Toy")
    made.begin()
    rows = [Row(case, f"source_{case}", who, "train", "", [], {}) for case, who in subjects.items()]
    made.finish(rows, {})
    return made


def visits(subjects: int, each: int) -> dict[str, str]:
    return {f"Toy_{s * each + v:03d}": f"P{s}" for s in range(subjects) for v in range(each)}


@pytest.mark.parametrize(("subjects", "each"), [(5, 2), (7, 3), (23, 2)])
def test_a_subject_is_never_on_both_sides(subjects: int, each: int) -> None:
    who = visits(subjects, each)
    splits = subject_splits(who)
    assert len(splits) == 5
    validated: list[str] = []
    for split in splits:
        train, val = ({who[case] for case in split[side]} for side in ("train", "val"))
        assert not train & val
        assert sorted([*split["train"], *split["val"]]) == sorted(who)
        validated += list(split["val"])
    assert sorted(validated) == sorted(who)


def test_with_one_case_a_subject_it_is_the_split_of_nnunet() -> None:
    names = [f"Toy_{index:03d}" for index in range(17)]
    drawn = KFold(n_splits=5, shuffle=True, random_state=12345).split(names)
    for split, (train, val) in zip(subject_splits({n: n for n in names}), drawn, strict=True):
        assert list(split["train"]) == list(np.array(names)[train])
        assert list(split["val"]) == list(np.array(names)[val])


def test_a_file_is_written_only_where_subjects_repeat(tmp_path: Path) -> None:
    ensure_subject_splits(tmp_path, task(tmp_path / "one", visits(6, 1)))
    assert not (tmp_path / "splits_final.pkl").exists()
    ensure_subject_splits(tmp_path, task(tmp_path / "two", visits(6, 2)))
    written = pickle.loads((tmp_path / "splits_final.pkl").read_bytes())
    assert [list(split) for split in written] == [["train", "val"]] * 5


def test_a_split_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "splits_final.pkl").write_bytes(b"mine")
    ensure_subject_splits(tmp_path, task(tmp_path, visits(6, 2)))
    assert (tmp_path / "splits_final.pkl").read_bytes() == b"mine"


def test_fewer_subjects_than_folds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="4 subjects can't be split into 5 folds"):
        ensure_subject_splits(tmp_path, task(tmp_path, visits(4, 3)))
