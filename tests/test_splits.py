"""Cross-validation over subjects, drawn as nnU-Net draws it over cases, stratified, or given."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import KFold

from nnplug.config.folders import Folders
from nnplug.config.settings import Choice, Convert, Dataset, ModelSettings, Paths, Split, Trainer
from nnplug.data import splits
from nnplug.data.taskfolder import Row, TaskFolder
from nnplug.errors import ConfigError, DataError
from nnplug.stages import split

SOURCE = {f"Toy_{number:03d}": f"scan_{number}" for number in range(20)}


def visits(subjects: int, each: int) -> dict[str, str]:
    return {f"Toy_{s * each + v:03d}": f"P{s}" for s in range(subjects) for v in range(each)}


def prepared(
    root: Path, subjects: dict[str, str], fold: Any = 0, **asked: Any
) -> tuple[ModelSettings, Folders]:
    """Settings and folders of a converted task of these cases."""
    settings = ModelSettings(
        dataset=Dataset("Toy", 301, channels={0: "CT"}, labels={"background": 0, "shell": 1}),
        paths=Paths(root),
        converter=Choice("nifti"),
        remap=(),
        convert=Convert(),
        workers=1,
        trainer=Trainer("v2"),
        network="3d_fullres",
        fold=fold,
        device="cpu",
        resume=False,
        seed=None,
        split=Split(**asked),
    )
    folders = Folders.below(root)
    task = TaskFolder(folders.task("Task301_Toy"))
    task.begin()
    rows = [Row(case, SOURCE[case], who, "train", "", [], {}) for case, who in subjects.items()]
    task.finish(rows, {})
    return settings, folders


def written(root: Path) -> list[dict[str, list[str]]]:
    path = Folders.below(root).preprocessed / "Task301_Toy" / "splits_final.pkl"
    content = pickle.loads(path.read_bytes())
    return [{side: list(fold[side]) for side in ("train", "val")} for fold in content]


def given(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(("subjects", "each"), [(5, 2), (7, 3), (23, 2)])
def test_a_subject_is_never_on_both_sides(subjects: int, each: int) -> None:
    who = visits(subjects, each)
    drawn = splits.draw(who)
    assert len(drawn) == 5
    validated: list[str] = []
    for fold in drawn:
        train, val = ({who[case] for case in fold[side]} for side in ("train", "val"))
        assert not train & val
        assert sorted([*fold["train"], *fold["val"]]) == sorted(who)
        validated += list(fold["val"])
    assert sorted(validated) == sorted(who)


def test_with_one_case_a_subject_it_is_the_split_of_nnunet(tmp_path: Path) -> None:
    who = visits(17, 1)
    split.ensure(*prepared(tmp_path, who))
    drawn = KFold(n_splits=5, shuffle=True, random_state=12345).split(sorted(who))
    for fold, (train, val) in zip(written(tmp_path), drawn, strict=True):
        assert fold["train"] == list(np.array(sorted(who))[train])
        assert fold["val"] == list(np.array(sorted(who))[val])


def test_fewer_subjects_than_folds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="4 subjects can't be split into 5 folds"):
        split.ensure(*prepared(tmp_path, visits(4, 3)))
    split.ensure(*prepared(tmp_path, visits(4, 3), fold="all"))


@pytest.mark.parametrize("each", [1, 2])
def test_every_fold_has_the_same_proportion_of_a_column(tmp_path: Path, each: int) -> None:
    who = visits(20 // each, each)
    table = tmp_path / "table.csv"
    rare = {f"P{number}" for number in range(0, 20 // each, 2)}
    lines = [f"{SOURCE[case]},{'rare' if who[case] in rare else 'usual'}" for case in who]
    table.write_text("\n".join(["original,scanner", *lines]) + "\n")
    split.ensure(*prepared(tmp_path, who, stratify="scanner", table=table))
    for fold in written(tmp_path):
        assert Counter(who[case] in rare for case in fold["val"]) == {True: 2, False: 2}
        assert not {who[case] for case in fold["val"]} & {who[case] for case in fold["train"]}


def test_a_column_has_to_be_there_for_every_case(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("subject,age\nP0,50\nP1,60\n")
    with pytest.raises(DataError, match="not in the column subject: P2, P3, P4, P5"):
        split.ensure(*prepared(tmp_path, visits(6, 1), stratify="age", table=table))
    with pytest.raises(ConfigError, match="has no column 'sex'"):
        split.ensure(*prepared(tmp_path, visits(6, 1), stratify="sex", table=table))
    with pytest.raises(DataError, match="no value of that column has 5 cases"):
        split.ensure(*prepared(tmp_path, visits(6, 1), stratify="original"))


def test_a_split_is_given_in_both_layouts_of_nnunet(tmp_path: Path) -> None:
    folds = [
        {"train": ["Toy_001", "Toy_002"], "val": ["Toy_000"]},
        {"train": ["scan_0", "scan_2"], "val": ["scan_1"]},
    ]
    path = given(tmp_path / "splits_final.json", folds)
    settings, folders = prepared(tmp_path / "v2", visits(3, 1), file=path)
    split.ensure(settings, folders)
    assert written(tmp_path / "v2")[1] == {"train": ["Toy_000", "Toy_002"], "val": ["Toy_001"]}
    stock = folders.preprocessed / "Task301_Toy" / "splits_final.pkl"
    split.ensure(*prepared(tmp_path / "v1", visits(3, 1), file=stock))
    assert written(tmp_path / "v1") == written(tmp_path / "v2")


@pytest.mark.parametrize(
    ("train", "val", "problem"),
    [
        (["Toy_001"], ["Toy_009"], "fold 0 names cases that are not there: Toy_009"),
        (["Toy_000", "Toy_002"], ["Toy_000"], "fold 0 has cases on both sides: Toy_000"),
        (["Toy_000"], ["Toy_001"], "fold 0 has subjects on both sides: P0"),
        (["Toy_000"], [], "fold 0 has no cases to validate"),
    ],
)
def test_a_split_that_leaks_or_does_not_fit_is_refused(
    tmp_path: Path, train: list[str], val: list[str], problem: str
) -> None:
    path = given(tmp_path / "split.json", [{"train": train, "val": val}])
    with pytest.raises(DataError, match=problem):
        split.ensure(*prepared(tmp_path, visits(3, 2), file=path))
    assert not list(tmp_path.rglob("splits_final.pkl"))


def test_subjects_may_be_shared_if_the_user_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = given(tmp_path / "split.json", [{"train": ["Toy_000"], "val": ["Toy_001"]}])
    split.ensure(*prepared(tmp_path, visits(2, 2), file=path, shared_subjects=True))
    assert written(tmp_path) == [{"train": ["Toy_000"], "val": ["Toy_001"]}]
    assert "fold 0 leaves out Toy_002, Toy_003" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "[]", '[{"train": ["a"]}]', '{"train": 1}', "[1]"])
def test_what_is_no_split_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"not a split|not a JSON file"):
        split.ensure(*prepared(tmp_path, visits(3, 2), file=path))


def test_another_split_is_never_replaced(tmp_path: Path) -> None:
    who = visits(6, 1)
    split.ensure(*prepared(tmp_path, who))
    before = written(tmp_path)
    other = given(tmp_path / "split.json", [{"train": ["Toy_000"], "val": ["Toy_001"]}])
    with pytest.raises(DataError, match="another split than the one asked for"):
        split.ensure(*prepared(tmp_path, who, file=other))
    same = given(tmp_path / "same.json", before)
    split.ensure(*prepared(tmp_path, who, file=same))
    split.ensure(*prepared(tmp_path, who))
    assert written(tmp_path) == before


def test_a_cascade_needs_every_case_validated(tmp_path: Path) -> None:
    who = visits(3, 1)
    path = given(tmp_path / "split.json", [{"train": ["Toy_000"], "val": ["Toy_001"]}])
    settings, folders = prepared(tmp_path, who, file=path)
    assert list(split.numbers(settings, folders)) == [0]
    split.ensure(settings, folders)
    with pytest.raises(DataError, match="no fold validates Toy_000, Toy_002"):
        split.numbers(settings, folders)


@pytest.mark.parametrize(
    "asked",
    [
        {"file": Path("x"), "stratify": "age"},
        {"table": Path("x")},
        {"shared_subjects": True},
    ],
)
def test_keys_that_do_not_go_together_are_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"split|table|shared_subjects"):
        Split(**asked)
