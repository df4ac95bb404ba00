"""What surveys suggest from names and headers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nnplug.errors import SourceError
from nnplug.formats.nifti_survey import survey as nifti
from nnplug.survey import Grid, survey

SUFFIXES = (".nii",)


def outline(path: Path) -> Grid:
    if path.stat().st_size == 0:
        return (3, 2, 1), (1.0, 1.0, 5.0)
    raise SourceError("damaged", where=str(path))


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_numbers_of_nnunet_are_channels(tmp_path: Path) -> None:
    make(tmp_path, *(f"imagesTr/{c}_{n:04d}.nii" for c in "ab" for n in (0, 1)))
    make(tmp_path, "labelsTr/a.nii", "labelsTr/b.nii")
    seen = survey(tmp_path, outline, suffixes=SUFFIXES)
    assert seen.channels == {0: "channel_0", 1: "channel_1"}
    assert [f.use for f in seen.found[:3]] == [("channel_0",), ("channel_1",), ("label",)]
    assert seen.found[0].subject == "a"
    assert (seen.found[0].size, seen.found[0].spacing) == ((3, 2, 1), (1.0, 1.0, 5.0))


@pytest.mark.parametrize("unlabelled", [False, True])
def test_numbers_that_are_part_of_a_name_are_not(tmp_path: Path, unlabelled: bool) -> None:
    folders = ["images"] if unlabelled else ["images", "labels"]
    make(tmp_path, *(f"{f}/scan_{n:04d}.nii" for f in folders for n in (0, 1, 7)))
    seen = survey(tmp_path, outline, suffixes=SUFFIXES)
    assert seen.channels == {0: "image"}
    assert seen.unlabelled is unlabelled
    assert len(seen.found) == 3 * len(folders)


def test_words_that_case_folders_share_are_channels(tmp_path: Path) -> None:
    for case in ("p_1", "p_2", "p_3"):
        make(tmp_path, *(f"{case}/{case}_{m}.nii" for m in ("T1", "T1_Gd", "seg")))
    make(tmp_path, "p_1/p_1_FLAIR.nii")
    seen = survey(tmp_path, outline, suffixes=SUFFIXES)
    assert seen.channels == {0: "T1", 1: "T1_Gd"}
    (other,) = (f for f in seen.found if not f.use)
    assert (other.path, other.problem) == ("p_1/p_1_FLAIR.nii", "belongs to no case")


def test_files_that_can_not_be_read_and_cases_with_problems_say_why(tmp_path: Path) -> None:
    make(tmp_path, "images/a.nii", "images/b.nii", "labels/a.nii")
    (tmp_path / "images" / "a.nii").write_text("x")
    seen = survey(tmp_path, outline, suffixes=SUFFIXES)
    assert [(f.path, f.use, f.problem) for f in seen.found] == [
        ("images/a.nii", (), "damaged"),
        ("labels/a.nii", ("label",), ""),
        ("images/b.nii", (), "no label of this name in labels"),
    ]


def test_labels_without_a_layout_do_not_make_a_source_unlabelled(tmp_path: Path) -> None:
    make(tmp_path, "x/y/a.nii", "x/y/b_mask.nii", "x/y/deep/c.nii")
    seen = survey(tmp_path, outline, suffixes=SUFFIXES)
    assert not seen.unlabelled
    assert all(f.problem for f in seen.found)


def test_nothing_there(tmp_path: Path) -> None:
    assert survey(tmp_path, outline, suffixes=SUFFIXES).found == ()
    assert survey(tmp_path / "gone", outline, suffixes=SUFFIXES).found == ()


def test_names_come_from_an_nnunet_dataset_json(tmp_path: Path, save: Callable[..., Path]) -> None:
    values = np.zeros((2, 3, 4), np.int16)
    for name in ("imagesTr/a_0000", "imagesTr/a_0001", "labelsTr/a"):
        save(tmp_path / f"{name}.nii.gz", values)
    (tmp_path / "dataset.json").write_text(
        '{"modality": {"0": "T1", "1": "T2"}, "labels": {"0": "background", "1": "tumour"},'
        ' "training": [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}]}'
    )
    seen = nifti(tmp_path)
    assert seen.channels == {0: "T1", 1: "T2"}
    assert seen.labels == {"background": 0, "tumour": 1}
    assert seen.found[0].size == (4, 3, 2)


def test_real_cohorts(shared_data: Callable[[str], Path]) -> None:
    seen = nifti(shared_data("sts/nifti"))
    assert seen.channels == {0: "CT", 1: "MR_T1", 2: "PET"}
    assert len(nifti(shared_data("hippocampus")).found) == 390
