"""Images and labels in folders of their own, plain and as nnU-Net and the Decathlon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nnplug.errors import SourceError


@pytest.mark.parametrize("labels", ["labels", "masks", "segmentations", "Labels"])
def test_images_and_labels(tmp_path: Path, labels: str, make: Any, find: Any, short: Any) -> None:
    make(
        tmp_path,
        *(f"{d}/c{n}.nii.gz" for d in ("images", labels) for n in (10, 2)),
        "images/._c2.nii.gz",
        "images/notes.txt",
    )
    assert short(tmp_path, find(tmp_path)) == [
        ("c2", "images/c2.nii.gz", f"{labels}/c2.nii.gz", None),
        ("c10", "images/c10.nii.gz", f"{labels}/c10.nii.gz", None),
    ]


def test_suffix_in_capitals_and_two_kinds_of_suffix(
    tmp_path: Path, make: Any, find: Any, short: Any
) -> None:
    make(tmp_path, "images/a.NII.GZ", "labels/a.nii")
    assert short(tmp_path, find(tmp_path)) == [("a", "images/a.NII.GZ", "labels/a.nii", None)]


def test_missing_labels_and_images_are_problems_of_their_cases(
    tmp_path: Path, make: Any, find: Any, problems: Any
) -> None:
    make(tmp_path, "images/a.nii", "images/b.nii", "labels/a.nii", "labels/z.nii")
    cases = find(tmp_path)
    assert [c.name for c in cases] == ["a", "b", "z"]
    assert problems(cases) == {
        "b": "no label of this name in labels",
        "z": "a label without an image",
    }


def test_all_cases_without_label_are_named_up_to_five(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, *(f"images/c{n}.nii" for n in range(1, 8)))
    (tmp_path / "labels").mkdir()
    with pytest.raises(SourceError) as info:
        find(tmp_path)
    assert "none of the 7 cases" in info.value.problem
    assert "c1, c2, c3, c4, c5 and 2 more" in info.value.problem


def test_duplicate_names_are_a_problem_that_names_the_files(
    tmp_path: Path, make: Any, find: Any, problems: Any
) -> None:
    make(
        tmp_path, "images/a.nii", "images/a.nii.gz", "labels/a.nii", "images/b.nii", "labels/b.nii"
    )
    assert problems(find(tmp_path)) == {"a": "several images: a.nii, a.nii.gz"}


def test_several_labels_of_one_name(tmp_path: Path, make: Any, find: Any, problems: Any) -> None:
    make(
        tmp_path, "images/a.nii", "labels/a.nii", "labels/a.nii.gz", "images/b.nii", "labels/b.nii"
    )
    assert problems(find(tmp_path)) == {"a": "several labels: a.nii, a.nii.gz"}


def test_channels_by_number(tmp_path: Path, make: Any, find: Any, short: Any) -> None:
    make(tmp_path, "images/a_0000.nii", "images/a_0001.nii", "labels/a.nii")
    assert short(tmp_path, find(tmp_path, {0: "T1", 1: "T2"})) == [
        ("a", "images/a_0000.nii", "images/a_0001.nii", "labels/a.nii", None)
    ]


def test_missing_and_unknown_channels(tmp_path: Path, make: Any, find: Any, problems: Any) -> None:
    make(
        tmp_path,
        *(f"images/{c}_{n:04d}.nii" for c, k in (("a", 2), ("b", 1), ("c", 3)) for n in range(k)),
        *(f"labels/{c}.nii" for c in "abc"),
    )
    assert problems(find(tmp_path, {0: "T1", 1: "T2"})) == {
        "b": "no image of channel 1 (T2)",
        "c": "channel 2 is not one of the dataset's channels",
    }


def test_four_digits_that_are_part_of_the_name(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, *(f"{d}/scan_{n:04d}.nii" for d in ("images", "labels") for n in range(2)))
    assert [c.name for c in find(tmp_path)] == ["scan_0000", "scan_0001"]


def test_two_channels_but_one_image_a_case(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "images/a.nii", "labels/a.nii")
    with pytest.raises(SourceError, match="_0000, _0001"):
        find(tmp_path, {0: "T1", 1: "T2"})


def test_two_folders_of_labels_are_refused(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "images/a.nii", "labels/a.nii", "masks/a.nii")
    with pytest.raises(SourceError, match="labels, masks"):
        find(tmp_path)


def test_images_without_any_label_folder(tmp_path: Path, make: Any, find: Any, short: Any) -> None:
    make(tmp_path, "images/a.nii")
    with pytest.raises(SourceError, match=r"dataset\.unlabelled=true"):
        find(tmp_path)
    assert short(tmp_path, find(tmp_path, unlabelled=True)) == [("a", "images/a.nii", None, None)]


def test_unlabelled_leaves_labels_out(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "images/a.nii", "images/b.nii", "labels/a.nii")
    assert [c.label for c in find(tmp_path, unlabelled=True)] == [None, None]


def test_nnunet_task_folder(tmp_path: Path, make: Any, find: Any, short: Any) -> None:
    make(
        tmp_path,
        "imagesTr/a_0000.nii.gz",
        "labelsTr/a.nii.gz",
        "imagesTs/b_0000.nii.gz",
        "imagesTs/c_0000.nii.gz",
        "labelsTs/c.nii.gz",
        "dataset.json",
    )
    assert short(tmp_path, find(tmp_path)) == [
        ("a", "imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz", "train"),
        ("b", "imagesTs/b_0000.nii.gz", None, "test"),
        ("c", "imagesTs/c_0000.nii.gz", "labelsTs/c.nii.gz", "test"),
    ]


def test_decathlon_folder_with_names_that_look_numbered(
    tmp_path: Path, make: Any, find: Any
) -> None:
    make(
        tmp_path,
        *(f"{d}/h_{n:04d}.nii.gz" for d in ("imagesTr", "labelsTr") for n in (1, 2)),
        "imagesTr/._h_0001.nii.gz",
        "imagesTs/h_0000.nii.gz",
    )
    cases = find(tmp_path)
    assert [(c.name, c.split) for c in cases] == [
        ("h_0000", "test"),
        ("h_0001", "train"),
        ("h_0002", "train"),
    ]


def test_a_name_in_training_and_test_is_a_problem(
    tmp_path: Path, make: Any, find: Any, problems: Any
) -> None:
    make(tmp_path, "imagesTr/a.nii", "imagesTr/b.nii", "labelsTr/a.nii", "labelsTr/b.nii")
    make(tmp_path, "imagesTs/a.nii")
    assert problems(find(tmp_path)) == {
        "a": "several cases of this name: imagesTr/a.nii, imagesTs/a.nii"
    }


def test_training_label_missing(tmp_path: Path, make: Any, find: Any, problems: Any) -> None:
    make(tmp_path, "imagesTr/a_0000.nii", "imagesTr/b_0000.nii", "labelsTr/a.nii")
    assert problems(find(tmp_path)) == {"b": "no label of this name in labelsTr"}


def test_unlabelled_task_folder_has_no_split(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "imagesTr/a_0000.nii", "labelsTr/a.nii", "imagesTs/b_0000.nii")
    assert [(c.name, c.label, c.split) for c in find(tmp_path, unlabelled=True)] == [
        ("a", None, None),
        ("b", None, None),
    ]


def test_both_layouts_at_once_are_refused(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "imagesTr/a.nii", "labelsTr/a.nii", "images/a.nii", "labels/a.nii")
    with pytest.raises(SourceError, match="both images/ and imagesTr/"):
        find(tmp_path)
