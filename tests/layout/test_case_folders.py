"""One folder a case, and stacks in folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nnplug.errors import SourceError

NIFTI = (".nii", ".nii.gz")


@pytest.mark.parametrize(
    "label", ["label", "seg", "gt", "lesion mask", "Ground-Truth", "x_segmentation", "p1_labels"]
)
def test_one_image_and_one_label(
    tmp_path: Path, label: str, make: Any, find: Any, short: Any
) -> None:
    make(tmp_path, "p1/anything.nii", f"p1/{label}.nii")
    assert short(tmp_path, find(tmp_path)) == [("p1", "p1/anything.nii", f"p1/{label}.nii", None)]


def test_words_of_the_case_and_parts_of_words_make_no_label(
    tmp_path: Path, make: Any, find: Any
) -> None:
    make(tmp_path, "mask_study_1/mask_study_1_masked.nii", "mask_study_1/mask_study_1_seg.nii")
    (case,) = find(tmp_path)
    assert case.images[0].name == "mask_study_1_masked.nii"
    assert case.label is not None
    assert case.label.name == "mask_study_1_seg.nii"


def test_channels_match_whole_words(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, *(f"B_1/B_1_{m}.nii" for m in ("t1", "t1ce", "t1_gd", "flair", "seg")))
    (case,) = find(tmp_path, {0: "T1", 1: "FLAIR", 2: "T1CE"})
    assert [p.name for p in case.images] == ["B_1_t1.nii", "B_1_flair.nii", "B_1_t1ce.nii"]
    assert not case.details


def test_ct_does_not_fit_cta(tmp_path: Path, make: Any, find: Any, problems: Any) -> None:
    make(tmp_path, "a/CTA.nii", "a/PET.nii", "a/mask.nii", "b/CT.nii", "b/PET.nii", "b/mask.nii")
    assert problems(find(tmp_path)) == {"a": "no image's name has channel 'CT': CTA.nii, PET.nii"}


def test_ambiguous_channel_lists_the_files(
    tmp_path: Path, make: Any, find: Any, problems: Any
) -> None:
    make(tmp_path, "a/CT_early.nii", "a/CT_late.nii", "a/mask.nii", "b/CT.nii", "b/mask.nii")
    assert problems(find(tmp_path)) == {
        "a": "several images fit channel 'CT': CT_early.nii, CT_late.nii"
    }


def test_one_file_for_two_channels_is_a_problem(
    tmp_path: Path, make: Any, find: Any, problems: Any
) -> None:
    make(tmp_path, "a/CT_PET.nii", "a/mask.nii", "b/CT.nii", "b/PET.nii", "b/mask.nii")
    assert problems(find(tmp_path, {0: "CT", 1: "PET"})) == {
        "a": "CT_PET.nii fits more than one channel"
    }


def test_label_of_several_by_the_first_channel(
    tmp_path: Path, make: Any, find: Any, short: Any
) -> None:
    make(tmp_path, *(f"a/{m}_{r}.nii" for m in ("CT", "PET") for r in ("image", "mask")))
    assert short(tmp_path, find(tmp_path, {0: "PET", 1: "CT"})) == [
        ("a", "a/PET_image.nii", "a/CT_image.nii", "a/PET_mask.nii", None)
    ]


def test_labels_that_no_channel_chooses(
    tmp_path: Path, make: Any, find: Any, problems: Any
) -> None:
    make(tmp_path, "a/CT.nii", "a/liver_mask.nii", "a/lung_mask.nii", "b/CT.nii", "b/mask.nii")
    assert problems(find(tmp_path)) == {
        "a": "several labels, none chosen by channel 'CT': liver_mask.nii, lung_mask.nii"
    }


def test_case_folder_without_label_and_without_image(
    tmp_path: Path, make: Any, find: Any, problems: Any
) -> None:
    make(tmp_path, "a/CT.nii", "b/mask.nii", "c/CT.nii", "c/mask.nii", "docs/readme.txt")
    found = problems(find(tmp_path))
    assert set(found) == {"a", "b"}
    assert "no file or folder named as a label" in found["a"]
    assert "no image" in found["b"]


def test_loose_images_beside_case_folders_are_refused(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "a/CT.nii", "a/mask.nii", "template.nii")
    with pytest.raises(SourceError, match=r"template\.nii"):
        find(tmp_path)


def test_unlabelled_case_folders_leave_labels_out(
    tmp_path: Path, make: Any, find: Any, short: Any
) -> None:
    make(
        tmp_path, *(f"{c}/{m}_{r}.nii" for c in "ab" for m in ("CT", "PET") for r in ("i", "mask"))
    )
    assert short(tmp_path, find(tmp_path, unlabelled=True)) == [
        ("a", "a/CT_i.nii", None, None),
        ("b", "b/CT_i.nii", None, None),
    ]


def test_stack_folders_with_labels(tmp_path: Path, make: Any, find: Any, short: Any) -> None:
    make(tmp_path, *(f"{d}/c1/s{n}.png" for d in ("images", "labels") for n in (1, 2)))
    cases = find(tmp_path, suffixes=(".png",), folders=True)
    assert short(tmp_path, cases) == [("c1", "images/c1", "labels/c1", None)]


def test_stack_folders_with_label_files(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "images/c.1/1.dcm", "labels/c.1.nii.gz", "images/d/1.dcm", "labels/d.NII")
    cases = find(tmp_path, suffixes=(".dcm",), folders=True, label_suffixes=NIFTI)
    assert [(c.name, c.label and c.label.name) for c in cases] == [
        ("c.1", "c.1.nii.gz"),
        ("d", "d.NII"),
    ]


def test_stack_and_label_in_one_case_folder(
    tmp_path: Path, make: Any, find: Any, short: Any
) -> None:
    make(tmp_path, "p1/CT/1.dcm", "p1/PET/1.dcm", "p1/mask.nii", "p2/1.dcm", "p2/seg.nii")
    cases = find(tmp_path, suffixes=(".dcm",), folders=True, label_suffixes=NIFTI)
    assert short(tmp_path, cases) == [
        ("p1", "p1/CT", "p1/mask.nii", None),
        ("p2", "p2", "p2/seg.nii", None),
    ]


def test_unlabelled_stacks_flat_nested_and_the_root_itself(
    tmp_path: Path, make: Any, find: Any, short: Any
) -> None:
    make(tmp_path, "flat/p1/1.dcm", "flat/p2/1.dcm", "deep/p1/st/se1/1.dcm", "deep/p1/st/se2/1.dcm")
    flat = find(tmp_path / "flat", unlabelled=True, suffixes=("",), folders=True)
    deep = find(tmp_path / "deep", unlabelled=True, suffixes=("",), folders=True)
    one = find(tmp_path / "flat" / "p1", unlabelled=True, suffixes=("",), folders=True)
    assert [c.name for c in flat] == ["p1", "p2"]
    assert [c.name for c in deep] == ["se1", "se2"]
    assert short(tmp_path / "flat" / "p1", one) == [("p1", ".", None, None)]
