"""Axes turned to a code: nibabel says where they point, SimpleITK what every place holds."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.config.settings import Convert
from nnplug.data import orientation

CODES = [
    "".join(letters) for order in permutations(("LR", "AP", "IS")) for letters in product(*order)
]


def scan(angles: tuple[float, float, float]) -> sitk.Image:
    values = np.random.default_rng(0).integers(-900, 900, (4, 5, 6)).astype(np.int16)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.8, 1.2, 3))
    image.SetOrigin((10, -20, 30))
    image.SetDirection(sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix())
    return image


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.3, -0.4, 0.2)])
@pytest.mark.parametrize("code", CODES)
def test_axes_point_where_the_code_says_and_nothing_moves(
    tmp_path: Path, code: str, angles: tuple[float, float, float]
) -> None:
    Convert(orient=code)
    before = scan(angles)
    after = orientation.oriented(before, code)
    assert orientation.code(after) == code
    sitk.WriteImage(after, str(tmp_path / "a.nii"))
    read: Any = nibabel.load(tmp_path / "a.nii")
    assert "".join(nibabel.aff2axcodes(read.affine)) == code  # type: ignore[no-untyped-call]
    other = sitk.DICOMOrient(before, code)
    np.testing.assert_array_equal(*map(sitk.GetArrayFromImage, (after, other)))
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(after, name)(), getattr(other, name)(), atol=1e-9)
    for index in [(0, 0, 0), (5, 0, 2), (3, 4, 1), (1, 2, 3)]:
        point = before.TransformIndexToPhysicalPoint(index)
        there = after.TransformPhysicalPointToContinuousIndex(point)
        np.testing.assert_allclose(there, np.rint(there), atol=1e-6)
        assert after.GetPixel([round(i) for i in there]) == before.GetPixel(index)


@pytest.mark.parametrize("code", ["", "LP", "LPSS", "LRS", "lps", "XYZ", "RASL", "KEEP"])
def test_other_codes_are_refused(code: str) -> None:
    with pytest.raises(ValueError, match="LPS or RAS"):
        Convert(orient=code)


def test_there_are_48() -> None:
    assert len(set(CODES)) == 48
