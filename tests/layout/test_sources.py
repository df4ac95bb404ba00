"""Flat and nested sources, bad ones, and real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nnplug.errors import SourceError
from nnplug.layout import holds_images, natural_key
from nnplug.types import Layout

NIFTI = (".nii", ".nii.gz")
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not here")


def test_natural_key_orders_numbers_by_value() -> None:
    names = ["case10", "case2", "Case1", "case02", "b", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "b", "Case1", "case02", "case2", "case10"]


def test_flat_folder_needs_unlabelled(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "a.nii", "b.nii")
    with pytest.raises(SourceError, match="no labels") as info:
        find(tmp_path)
    assert info.value.hint is not None
    for remedy in ("labels/", "dataset.label", "dataset.unlabelled=true"):
        assert remedy in info.value.hint
    assert [c.name for c in find(tmp_path, unlabelled=True)] == ["a", "b"]


def test_flat_folder_with_numbered_channels(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "a_0000.nii", "a_0001.nii")
    (case,) = find(tmp_path, {0: "T1", 1: "T2"}, unlabelled=True)
    assert (case.name, len(case.images)) == ("a", 2)


def test_nested_images_with_unique_names(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "x/y/a.nii", "x/z/b.nii", "c.nii")
    assert [c.name for c in find(tmp_path, unlabelled=True)] == ["a", "b", "c"]


def test_nested_images_with_equal_names_get_their_paths(
    tmp_path: Path, make: Any, find: Any
) -> None:
    make(tmp_path, "p1/day1/scan.nii", "p1/day2/scan.nii", "p2/day1/scan.nii")
    names = [c.name for c in find(tmp_path, unlabelled=True)]
    assert names == ["p1_day1_scan", "p1_day2_scan", "p2_day1_scan"]


def test_links_back_to_a_parent_end(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "x/y/a.nii")
    (tmp_path / "x" / "y" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert [c.name for c in find(tmp_path, unlabelled=True)] == ["a"]


def test_missing_empty_and_no_folder(tmp_path: Path, find: Any) -> None:
    file = tmp_path / "file"
    file.touch()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SourceError, match="no such folder"):
        find(tmp_path / "gone")
    with pytest.raises(SourceError, match="not a folder"):
        find(file)
    for unlabelled in (False, True):
        with pytest.raises(SourceError, match=r"no \.nii \.nii\.gz files"):
            find(empty, unlabelled=unlabelled)


def test_holds_images_looks_past_labels(tmp_path: Path, make: Any) -> None:
    make(tmp_path, "dicom/p1/1.dcm", "dicom/p1/seg.nii.gz", "dicom/labels/p1.nii.gz")
    make(tmp_path, "nifti/images/a.nii.gz", "nifti/preview.png", "cases/p1/ct.nii")
    assert not holds_images(tmp_path / "dicom", NIFTI)
    assert holds_images(tmp_path / "nifti", NIFTI)
    assert not holds_images(tmp_path / "nifti", (".png",))
    assert holds_images(tmp_path / "cases", NIFTI)
    assert not holds_images(tmp_path / "gone", NIFTI)


@needs_data
def test_hippocampus(find: Any) -> None:
    cases = find(DATA / "hippocampus")
    assert len(cases) == 195
    assert (cases[0].name, cases[-1].name) == ("hippocampus_003", "hippocampus_394")
    assert all(c.label and c.label.name == c.images[0].name and not c.details for c in cases)


@needs_data
@pytest.mark.parametrize("channels", [{0: "CT"}, {0: "CT", 1: "MR_T1", 2: "PET"}, {0: "PET"}])
def test_sarcoma_folders(channels: dict[int, str], find: Any) -> None:
    cases = find(DATA / "sts" / "nifti", channels)
    assert len(cases) == 8
    first = channels[0]
    for case in cases:
        assert [p.name for p in case.images] == [f"{n}_image.nii.gz" for n in channels.values()]
        assert case.label is not None
        assert case.label.name == f"{first}_mask.nii.gz"
        assert not case.details


@needs_data
def test_nrrd_by_patterns(find: Any, problems: Any) -> None:
    layout = Layout(("{case}_image.nrrd",), "{case}_label.nrrd")
    cases = find(DATA / "nrrd_pyradiomics", layout=layout, suffixes=(".nrrd",))
    assert [c.name for c in cases if not c.details] == ["brain1", "brain2", "breast1"]
    assert set(problems(cases)) == {"lung1", "lung2"}
