"""Measures of a case against numpy and nibabel, the table of them, and outliers of a cohort."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.data import cohort, measures, qc
from nnplug.data.measures import Measures, measure

OBLIQUE = (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1)


@pytest.fixture
def case() -> tuple[sitk.Image, sitk.Image]:
    rng = np.random.default_rng(5)
    values = rng.normal(100, 20, (9, 11, 13)).astype(np.float32)
    label = np.zeros((9, 11, 13), np.uint8)
    label[2:5, 3:8, 4:6] = 1
    label[6, 6, 6:12] = 3
    images = [sitk.GetImageFromArray(array) for array in (values, label)]
    for image in images:
        image.SetSpacing((0.5, 1.5, 2.0))
        image.SetOrigin((-7, 11, 3))
        image.SetDirection(OBLIQUE)
    return images[0], images[1]


def test_measures_are_those_of_numpy_and_nibabel(
    case: tuple[sitk.Image, sitk.Image], tmp_path: Path
) -> None:
    image, label = case
    found = measure([image], label)
    values = sitk.GetArrayFromImage(image)
    (channel,) = found.channels
    assert [channel.p01, channel.p50, channel.p99] == pytest.approx(
        np.percentile(values, (1, 50, 99))
    )
    assert (channel.minimum, channel.maximum) == (values.min(), values.max())
    assert channel.mean == pytest.approx(values.mean(dtype=np.float64))

    sitk.WriteImage(label, str(tmp_path / "label.nii.gz"))
    other = nibabel.load(tmp_path / "label.nii.gz")
    assert found.size == other.shape
    assert found.spacing == pytest.approx(other.header.get_zooms())
    letters = "".join(nibabel.aff2axcodes(other.affine))
    # nibabel names where the axes point in RAS, DICOM in LPS: both name the same ends.
    assert found.orientation == letters
    array = np.asarray(other.dataobj)
    assert sorted(found.regions) == [1, 3]
    for value, region in found.regions.items():
        inside = np.argwhere(array == value)
        ras = nibabel.affines.apply_affine(other.affine, inside.mean(axis=0))
        assert region.voxels == len(inside)
        assert region.volume_mm3 == pytest.approx(
            len(inside) * abs(np.linalg.det(other.affine)), rel=1e-5
        )
        assert region.centroid_mm == pytest.approx((-ras[0], -ras[1], ras[2]), abs=1e-4)


def test_the_place_is_the_same_however_the_axes_are_stored(
    case: tuple[sitk.Image, sitk.Image],
) -> None:
    image, label = case
    for one in case:
        one.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, 1))
    expected = measure([image], label).regions[1].place
    # x 4 and 5 of 13, y 3 to 7 of 11, z 2 to 4 of 9: voxel centres in the extent.
    assert expected == pytest.approx((5 / 13, 5.5 / 11, 3.5 / 9))
    turned = [sitk.DICOMOrient(one, "ASR") for one in case]
    assert measure([turned[0]], turned[1]).regions[1].place == pytest.approx(expected)


def test_measures_survive_json(case: tuple[sitk.Image, sitk.Image]) -> None:
    found = measure([case[0]], case[1])
    assert measures.restored(json.loads(json.dumps(asdict(found)))) == found


def test_the_table_has_a_row_a_case_and_empty_cells_for_missing_labels(
    case: tuple[sitk.Image, sitk.Image], tmp_path: Path
) -> None:
    image, label = case
    qc.write_table(tmp_path, {"a": measure([image], label), "b": measure([image], None)})
    with (tmp_path / "qc" / "qc.csv").open(newline="") as stream:
        first, second = csv.DictReader(stream)
    assert (first["case"], first["size_x"], first["spacing_z"]) == ("a", "13", "2")
    assert (first["label_3_voxels"], second["label_3_voxels"]) == ("6", "")
    assert float(first["label_3_mm3"]) == pytest.approx(6 * 0.5 * 1.5 * 2.0)
    assert float(first["channel_0_max"]) == pytest.approx(sitk.GetArrayFromImage(image).max(), 1e-5)


def some(count: int, rng: np.random.Generator) -> dict[str, Measures]:
    cases = {}
    for number in range(count):
        image = sitk.GetImageFromArray(rng.normal(100, 20, (10, 10, 10)))
        image.SetSpacing((1, 1, float(rng.uniform(2.9, 3.1))))
        label = sitk.Image(image.GetSize(), sitk.sitkUInt8)
        label[3:7, 3:7, 3:6] = 1
        label.CopyInformation(image)
        cases[f"c{number}"] = measure([image], label)
    return cases


def test_an_ordinary_cohort_has_no_outlier() -> None:
    assert cohort.outliers(some(12, np.random.default_rng(0))) == []


def changed(case: Measures, name: str) -> Measures:
    (region,), (channel,) = case.regions.values(), case.channels
    changes: dict[str, Any] = {
        "spacing": {"spacing": (1.0, 1.0, 6.0)},
        "size": {"size": (10, 10, 40)},
        "orientation": {"orientation": "RAS"},
        "mean": {"channels": (replace(channel, mean=200.0),)},
        "volume": {"regions": {1: replace(region, volume_mm3=region.volume_mm3 * 4)}},
        "place": {"regions": {1: replace(region, place=(0.9, *region.place[1:]))}},
    }
    return replace(case, **changes[name])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("spacing", "spacing z is 6 mm, in the cohort about"),
        ("size", "size z is 40 voxels, in the cohort about 10"),
        ("orientation", "the axes point to RAS, those of 11 of 12 cases to LPS"),
        ("mean", "channel 0 mean is 200, in the cohort about"),
        ("volume", "label 1 volume is"),
        ("place", "label 1 place towards left is 0.90 of the image"),
    ],
)
def test_a_case_that_differs_is_named(name: str, text: str) -> None:
    cases = some(12, np.random.default_rng(1))
    cases["c7"] = changed(cases["c7"], name)
    (problem,) = cohort.outliers(cases)
    assert (problem.case, problem.level) == ("c7", "warning")
    assert text in problem.text


def test_a_small_cohort_is_not_judged() -> None:
    cases = some(7, np.random.default_rng(1))
    cases["c3"] = changed(cases["c3"], "spacing")
    assert cohort.outliers(cases) == []
