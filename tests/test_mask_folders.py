"""Labels that are folders with one mask a region, as NIfTI and MetaImage."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.errors import SourceError
from nnplug.formats.nifti import NiftiConverter
from nnplug.formats.nifti_survey import survey
from nnplug.formats.options import NiftiOptions
from nnplug.rois import RoiOptions
from nnplug.types import Case, Source
from nnplug_mha.converter import MhaConverter
from nnplug_mha.options import MhaOptions

SHAPE = (6, 8, 10)
LABELS = {"background": 0, "liver": 1, "lung": 2}
LUNGS = RoiOptions(rois={"lung": ["lung_*"]})


def boxes() -> dict[str, Any]:
    """Masks by name, one of them empty."""
    masks = {n: np.zeros(SHAPE, np.uint8) for n in ("liver", "lung_left", "lung_right", "spleen")}
    masks["liver"][0:2] = 1
    masks["lung_left"][3, :, :4] = 1
    masks["lung_right"][3, :, 6:] = 255
    return masks


@pytest.fixture
def source(tmp_path: Path, save: Callable[..., Path]) -> Callable[..., Path]:
    """``source("nii.gz", changed={...})`` writes one case folder below ``source``."""

    def write(ending: str = "nii.gz", changed: Any = None, **grid: Any) -> Path:
        folder = tmp_path / "source" / "s0001"
        save(folder / f"ct.{ending}", np.arange(480, dtype=np.int16).reshape(SHAPE))
        for name, mask in {**boxes(), **(changed or {})}.items():
            there = grid if name == "lung_right" else {}
            save(folder / "segmentations" / f"{name}.{ending}", mask, **there)
        (folder / "segmentations" / "preview.png").write_bytes(b"no mask")
        return folder.parent

    return write


def read(root: Path, options: RoiOptions = LUNGS, labels: Any = None) -> Case:
    converter = NiftiConverter(NiftiOptions(labels=options))
    (case,) = converter.discover(Source(root, {0: "CT"}, labels or LABELS))
    return converter.read(case)


def values(case: Case) -> Any:
    assert case.label is not None
    return sitk.GetArrayFromImage(case.label)


@pytest.mark.parametrize("ending", ["nii.gz", "mha", "nrrd"])
def test_masks_become_the_labels_of_their_names(source: Any, ending: str) -> None:
    root = source(ending)
    converter: Any = NiftiConverter(NiftiOptions(labels=LUNGS))
    if ending != "nii.gz":
        converter = MhaConverter(MhaOptions(labels=LUNGS))
    (case,) = converter.discover(Source(root, {0: "CT"}, LABELS))
    read = converter.read(case)
    assert values(read)[0].tolist() == np.ones(SHAPE[1:]).tolist()
    assert (values(read) == 2).sum() == 8 * 8
    assert (values(read) != 0).sum() == 2 * 80 + 8 * 8
    assert read.label.GetOrigin() == read.images[0].GetOrigin()
    assert read.label.GetSpacing() == read.images[0].GetSpacing()


def test_an_empty_mask_is_a_region_that_the_case_lacks(source: Any) -> None:
    case = read(source(), labels={**LABELS, "spleen": 3})
    assert case.provenance["empty masks"] == "spleen"
    assert 3 not in values(case)


def test_a_mask_that_is_missing_is_an_error_unless_it_may_be(source: Any) -> None:
    root, labels = source(), {**LABELS, "aorta": 3}
    with pytest.raises(SourceError, match="no region is label 'aorta'; there is: liver, lung_left"):
        read(root, labels=labels)
    allowed = RoiOptions(rois=LUNGS.rois, optional=["aorta"])
    assert set(np.unique(values(read(root, allowed, labels)))) == {0, 1, 2}


def test_masks_that_overlap_need_a_priority(source: Any) -> None:
    liver = boxes()["liver"]
    liver[3] = 1
    root = source(changed={"liver": liver})
    with pytest.raises(SourceError, match="overlap in 64 voxels") as raised:
        read(root)
    assert "segmentations" in str(raised.value.where)
    case = read(root, RoiOptions(rois=LUNGS.rois, priority=["lung"]))
    assert (values(case)[3] == 2).sum() == 64


def test_a_mask_of_another_grid_or_of_several_values_is_refused(source: Any) -> None:
    with pytest.raises(SourceError, match="another grid") as raised:
        read(source(origin=(-10, 20, 5)))
    assert str(raised.value.where).endswith("lung_right.nii.gz")
    two = boxes()["liver"]
    two[0, 0, 0] = 7
    with pytest.raises(SourceError, match=r"one value inside, this one has 1, 7"):
        read(source(changed={"liver": two}))


def test_rois_of_a_file_without_regions_are_refused(cohort: Any) -> None:
    with pytest.raises(SourceError, match="no regions with names"):
        read(cohort("p1"), labels={"background": 0, "lung": 1})


def test_the_survey_names_the_masks(source: Any) -> None:
    found = survey(source())
    assert found.labels == {
        "background": 0,
        "liver": 1,
        "lung_left": 2,
        "lung_right": 3,
        "spleen": 4,
    }
    assert [f.path for f in found.found if f.use] == ["s0001/ct.nii.gz", "s0001/segmentations"]


def test_folders_named_as_their_images(tmp_path: Path, save: Callable[..., Path]) -> None:
    for name in ("a", "b"):
        save(tmp_path / "images" / f"{name}.nii.gz", np.zeros(SHAPE, np.int16))
        for region, mask in boxes().items():
            save(tmp_path / "labels" / name / f"{region}.nii.gz", mask)
    cases = NiftiConverter().discover(Source(tmp_path, {0: "CT"}, LABELS))
    assert [(c.name, c.label) for c in cases] == [
        (name, tmp_path / "labels" / name) for name in ("a", "b")
    ]


def test_masks_of_totalsegmentator(shared_data: Any, tmp_path: Path) -> None:
    """Against the file with all labels that TotalSegmentator wrote beside the masks."""
    data = shared_data("totalsegmentator")
    shutil.copytree(data / "example_seg_fast", tmp_path / "s1" / "segmentations")
    shutil.copy(data / "example_ct.nii.gz", tmp_path / "s1" / "ct.nii.gz")
    names = sorted(p.name[:-7] for p in (data / "example_seg_fast").glob("*.nii.gz"))
    labels = {"background": 0, **{name: n for n, name in enumerate(names, 1)}}
    case = read(tmp_path, RoiOptions(), labels)
    image: Any = nib.load(data / "example_seg_fast.nii.gz")  # type: ignore[attr-defined]
    theirs, ours = np.asarray(image.dataobj).transpose(2, 1, 0), values(case)
    pairs = np.unique(np.stack([theirs.ravel(), ours.ravel()]), axis=1).T.tolist()
    assert len(pairs) > 10
    assert [0, 0] in pairs
    for side in (0, 1):
        assert len({pair[side] for pair in pairs}) == len(pairs)
    # A few of the numbers that its own list of classes gives.
    known = {"spleen": 1, "liver": 5, "stomach": 6, "aorta": 52, "spinal_cord": 79, "sternum": 116}
    there = dict(pairs)
    found = {name for name, value in known.items() if value in there}
    assert found
    assert all(there[known[name]] == labels[name] for name in found)
