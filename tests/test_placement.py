"""Where the voxels of one grid lie in another, and labels put there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.config.settings import Convert
from nnplug.data import alignment
from nnplug.data.geometry import placement
from nnplug.errors import SourceError

OBLIQUE = (0.9, -0.3, 0.316227766, 0.4, 0.88, -0.2561, -0.2, 0.357, 0.9124)
EXACT, RESAMPLED = Convert(), Convert(resample_label=True)


def image(size: tuple[int, int, int] = (5, 6, 7), *, oblique: bool = False) -> sitk.Image:
    values = np.random.default_rng(1).integers(0, 4, size[::-1]).astype(np.uint8)
    made = sitk.GetImageFromArray(values)
    made.SetSpacing((0.7, 1.1, 2.5))
    made.SetOrigin((-30.5, 12.25, 400))
    if oblique:
        columns, _ = np.linalg.qr(np.reshape(OBLIQUE, (3, 3)))
        made.SetDirection(columns.ravel().tolist())
    return made


def at_points(label: sitk.Image, grid: sitk.Image) -> Any:
    """The label's value at the physical place of each voxel of the grid, or 0; one by one."""
    found = np.zeros(grid.GetSize()[::-1], np.uint8)
    for z, y, x in np.ndindex(found.shape):
        point = grid.TransformIndexToPhysicalPoint((x, y, z))
        index = label.TransformPhysicalPointToIndex(point)
        if all(0 <= i < n for i, n in zip(index, label.GetSize(), strict=True)):
            found[z, y, x] = label.GetPixel(index)
    return found


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("flips", [(False,) * 3, (True, False, False), (False, True, True)])
def test_turned_axes_put_every_value_back_in_its_place(
    axes: tuple[int, ...], flips: tuple[bool, ...], oblique: bool
) -> None:
    grid = image(oblique=oblique)
    turned = sitk.Flip(sitk.PermuteAxes(grid, list(axes)), list(flips))
    notes: dict[str, str] = {}
    values = alignment.label(turned, grid, EXACT, notes)
    np.testing.assert_array_equal(values, sitk.GetArrayFromImage(grid))
    assert bool(notes) == (axes != (0, 1, 2) or any(flips))
    place = placement(turned, grid)
    assert place is not None
    assert place.covers(grid)


@pytest.mark.parametrize("oblique", [False, True])
def test_a_crop_is_placed_with_zeros_around(oblique: bool) -> None:
    grid = image(oblique=oblique)
    crop = sitk.DICOMOrient(grid[1:4, 2:6, 3:5], "RAI")
    notes: dict[str, str] = {}
    values = alignment.label(crop, grid, EXACT, notes)
    np.testing.assert_array_equal(values, at_points(crop, grid))
    assert "placed at voxel (1, 2, 3) (x, y, z), zeros around" in notes["label grid"]


def test_a_label_may_reach_outside_where_it_is_background() -> None:
    grid = image()
    larger = sitk.ConstantPad(grid, [2, 0, 1], [0, 3, 0], 0)
    values = alignment.label(larger, grid, EXACT, {})
    np.testing.assert_array_equal(values, sitk.GetArrayFromImage(grid))
    with pytest.raises(SourceError, match="labelled voxels lie outside the image"):
        alignment.label(sitk.ConstantPad(grid, [2, 0, 1], [0, 3, 0], 1), grid, EXACT, {})
    far = sitk.Image(grid)
    far.SetOrigin((-30.5 + 0.7 * 50, 12.25, 400))
    with pytest.raises(SourceError, match="outside"):
        alignment.label(far, grid, EXACT, {})


@pytest.mark.parametrize(
    "change",
    [
        {"SetOrigin": (-30.5 + 0.2, 12.25, 400)},
        {"SetSpacing": (0.7, 1.1, 2.6)},
        {"SetSpacing": (0.35, 1.1, 2.5)},
        {"SetDirection": (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1)},
        {"SetDirection": (0.99995, -0.01, 0, 0.01, 0.99995, 0, 0, 0, 1)},
    ],
)
def test_any_other_grid_is_refused_or_resampled_as_was_decided(change: dict[str, Any]) -> None:
    grid, other = image(), image()
    for name, value in change.items():
        getattr(other, name)(value)
    assert placement(other, grid) is None
    with pytest.raises(SourceError, match="not on one grid") as caught:
        alignment.label(other, grid, EXACT, {})
    assert "convert.resample_label=true" in str(caught.value.hint)
    notes: dict[str, str] = {}
    values = alignment.label(other, grid, RESAMPLED, notes)
    assert "resampled by nearest neighbour" in notes["label grid"]
    different = np.count_nonzero(values != at_points(other, grid))
    assert different <= 0.02 * values.size  # points halfway between two voxels


def test_a_value_that_resampling_would_lose_is_an_error() -> None:
    fine = sitk.Image([20, 20, 20], sitk.sitkUInt8)
    fine.SetPixel(7, 7, 7, 9)
    coarse = sitk.Image([4, 4, 4], sitk.sitkInt16)
    coarse.SetSpacing((5, 5, 5))
    with pytest.raises(SourceError, match=r"lose the values \[9\]"):
        alignment.label(fine, coarse, RESAMPLED, {})


def test_a_far_corner_decides() -> None:
    """A spacing that is off by little drifts away over many voxels."""
    long, other = sitk.Image([2, 2, 900], sitk.sitkUInt8), sitk.Image([2, 2, 900], sitk.sitkUInt8)
    other.SetSpacing((1, 1, 1.00002))
    turned = sitk.Flip(other, [True, False, False])
    assert placement(turned, long) is None
    assert placement(sitk.Flip(long, [True, False, False]), long) is not None


def test_labels_of_a_real_scan_whose_rows_run_the_other_way(
    shared_data: Callable[[str], Path],
) -> None:
    folder = shared_data("totalsegmentator")
    reader = sitk.ImageSeriesReader()
    names = sorted(
        (folder / "example_ct_dicom").iterdir(),
        key=lambda path: float(sitk.ReadImage(str(path)).GetOrigin()[2]),
    )
    reader.SetFileNames([str(path) for path in names])
    scan = reader.Execute()
    label = sitk.ReadImage(str(folder / "example_seg_dicom.nii.gz"))
    notes: dict[str, str] = {}
    values = alignment.label(label, scan, EXACT, notes)
    assert notes == {"label grid": "flipped along y"}
    physical = sitk.Resample(label, scan, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    np.testing.assert_array_equal(values, sitk.GetArrayFromImage(physical))
    assert len(np.unique(values)) == 32
