"""Axes in a wanted order, by flips and permutations alone: voxel values and places are kept.

A code names for x, y, z the side of the patient that the axis runs towards: left or right,
posterior or anterior, superior or inferior. ``LPS`` is DICOM's and ITK's own order, ``RAS`` that
of NIfTI's world coordinates.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from nnplug.data.geometry import turned

OPPOSITE = dict(zip("LRAPIS", "RLPASI", strict=True))


def code(image: sitk.Image) -> str:
    """The nearest code of an image's axes."""
    return str(sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection()))


def oriented(image: sitk.Image, wanted: str) -> sitk.Image:
    """``image`` with the axes in the order ``wanted``, e.g. ``"LPS"``.

    Oblique axes keep their angles; each goes where it is nearest to.
    """
    now = code(image)
    if now == wanted:
        return image
    axes = [now.index(side if side in now else OPPOSITE[side]) for side in wanted]
    against = [side not in now for side in wanted]
    result = sitk.GetImageFromArray(turned(sitk.GetArrayViewFromImage(image), axes, against))
    first = [0, 0, 0]
    for axis, flip in zip(axes, against, strict=True):
        first[axis] = image.GetSize()[axis] - 1 if flip else 0
    result.SetOrigin(image.TransformIndexToPhysicalPoint(first))
    result.SetSpacing([image.GetSpacing()[axis] for axis in axes])
    columns = np.reshape(image.GetDirection(), (3, 3))[:, axes] * np.where(against, -1, 1)
    result.SetDirection(columns.ravel().tolist())
    return result
