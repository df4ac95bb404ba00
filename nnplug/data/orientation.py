"""Axes in a wanted order, by flips and permutations alone: voxel values and places are kept.

A code names for x, y, z the side of the patient that the axis runs towards: left or right,
posterior or anterior, superior or inferior. ``LPS`` is DICOM's and ITK's own order, ``RAS`` that
of NIfTI's world coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from nnplug.data.geometry import turned

OPPOSITE = dict(zip("LRAPIS", "RLPASI", strict=True))


@dataclass(frozen=True)
class Axes:
    """The axes x, y, z of a volume: the nearest code, and the spacing in mm."""

    code: str
    spacing: tuple[float, ...]


def code(image: sitk.Image) -> str:
    """The nearest code of an image's axes."""
    return _code(image.GetDirection())


def axes(image: Path | sitk.Image) -> Axes | None:
    """The axes of a volume, or of one in a file by its header; None if it holds none."""
    if isinstance(image, sitk.Image):
        return Axes(code(image), tuple(image.GetSpacing()))
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(image))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    if reader.GetDimension() != 3:
        return None
    return Axes(_code(reader.GetDirection()), tuple(reader.GetSpacing()))


def oriented(image: sitk.Image, wanted: str) -> sitk.Image:
    """``image`` with the axes in the order ``wanted``, e.g. ``"LPS"``.

    Oblique axes keep their angles; each goes where it is nearest to.
    """
    now = code(image)
    if now == wanted:
        return image
    order = [now.index(side if side in now else OPPOSITE[side]) for side in wanted]
    against = [side not in now for side in wanted]
    result = sitk.GetImageFromArray(turned(sitk.GetArrayViewFromImage(image), order, against))
    first = [0, 0, 0]
    for axis, flip in zip(order, against, strict=True):
        first[axis] = image.GetSize()[axis] - 1 if flip else 0
    result.SetOrigin(image.TransformIndexToPhysicalPoint(first))
    result.SetSpacing([image.GetSpacing()[axis] for axis in order])
    columns = np.reshape(image.GetDirection(), (3, 3))[:, order] * np.where(against, -1, 1)
    result.SetDirection(columns.ravel().tolist())
    return result


def _code(direction: Sequence[float]) -> str:
    return str(sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(direction))
