"""Label images: whole numbers, declared values, the image's grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.data import labels
from nnplug.errors import SourceError


def label(values: Any, dtype: Any) -> sitk.Image:
    return sitk.GetImageFromArray(np.asarray(values, dtype).reshape(1, 1, -1))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64, np.float32, np.float64])
def test_whole_numbers_of_any_type_are_read(dtype: Any) -> None:
    values = labels.integers(label([0, 1, 2, 2], dtype))
    assert np.issubdtype(values.dtype, np.integer)
    assert values.ravel().tolist() == [0, 1, 2, 2]


@pytest.mark.parametrize(
    ("values", "text"),
    [([0, 0.5], r"not whole numbers, e\.g\. \[0\.5\]"), ([0, np.nan], "finite"), ([np.inf], "fin")],
)
def test_other_numbers_are_refused(values: list[float], text: str) -> None:
    with pytest.raises(SourceError, match=text):
        labels.integers(label(values, np.float32))


def test_voxels_are_counted_per_value() -> None:
    assert labels.count(np.array([[3, 0], [3, 3]])) == {0: 1, 3: 3}


def test_undeclared_values_are_listed_with_their_voxels() -> None:
    labels.check_declared({0: 9, 1: 1}, {"background": 0, "liver": 1, "spleen": 2})
    with pytest.raises(SourceError, match=r"does not declare: 7 \(4 voxels\), -1 \(2 voxels\)"):
        labels.check_declared({0: 9, 7: 4, -1: 2}, {"background": 0, "liver": 1})


def test_the_result_is_uint8_on_the_grid_of_the_image() -> None:
    grid = sitk.Image([4, 3, 2], sitk.sitkFloat32)
    grid.SetSpacing((1, 2, 3))
    grid.SetOrigin((4, 5, 6))
    grid.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, 1))
    values = np.arange(24).reshape(2, 3, 4)
    made = labels.image_of(values, grid)
    assert made.GetPixelID() == sitk.sitkUInt8
    assert made.GetDirection() == grid.GetDirection()
    assert (made.GetSpacing(), made.GetOrigin()) == ((1, 2, 3), (4, 5, 6))
    assert made.GetPixel(3, 1, 1) == 19
