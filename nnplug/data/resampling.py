"""Images brought onto another grid, point by point in the patient's millimetres."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from nnplug.errors import SourceError

INTERPOLATORS = {
    "linear": sitk.sitkLinear,
    "nearest": sitk.sitkNearestNeighbor,
    "bspline": sitk.sitkBSpline,
}
BSPLINE_VOXELS = 4


def channel(
    image: sitk.Image, grid: sitk.Image, interpolation: str, outside: float | None
) -> tuple[sitk.Image, float]:
    """Resample an image onto the grid of another.

    Args:
        image: three axes, one value a voxel.
        grid: whose size, spacing, origin and direction the result has.
        interpolation: ``linear``, ``nearest`` or ``bspline`` (cubic). Integers become float32,
            so that nothing is rounded, except with ``nearest``.
        outside: the value outside the image's field of view; None takes the image's minimum.

    Returns:
        The result, and which part of the grid's voxels lies outside the field of view.

    Raises:
        SourceError: the image lies wholly outside, or is too thin for ``bspline``.
    """
    if interpolation == "bspline" and min(image.GetSize()) < BSPLINE_VOXELS:
        raise SourceError(
            f"bspline needs {BSPLINE_VOXELS} voxels along each axis, not {image.GetSize()}",
            hint="convert.interpolation=linear",
        )
    missing = _outside(image, grid)
    if missing == 1:
        raise SourceError(
            "the image doesn't overlap the reference's volume at all",
            hint="are these two scans of one patient in one position? register them first",
        )
    kind = image.GetPixelID()
    if interpolation != "nearest" and kind != sitk.sitkFloat64:
        kind = sitk.sitkFloat32
    if outside is None:
        outside = float(sitk.GetArrayViewFromImage(image).min())
    method = INTERPOLATORS[interpolation]
    return sitk.Resample(image, grid, sitk.Transform(), method, outside, kind), missing


def label(image: sitk.Image, grid: sitk.Image) -> sitk.Image:
    """Resample a label image by nearest neighbour; 0 where there was none.

    Raises:
        SourceError: a value vanishes by it.
    """
    result = sitk.Resample(image, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    before, after = (np.unique(sitk.GetArrayViewFromImage(each)) for each in (image, result))
    gone = [value for value in np.setdiff1d(before, after).tolist() if value != 0]
    if gone:
        raise SourceError(
            f"resampling the label onto the image's grid would lose the values {gone}",
            hint="they lie outside the image or are smaller than its voxels",
        )
    return result


def _outside(image: sitk.Image, grid: sitk.Image) -> float:
    inside = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
    inside.CopyInformation(image)
    inside = sitk.Resample(inside, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    return 1.0 - float(sitk.GetArrayViewFromImage(inside).mean())
