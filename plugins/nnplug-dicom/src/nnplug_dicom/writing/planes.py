"""From a mask to what belongs on each plane of the series that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug_dicom.headers.header import Header

VOXEL = 0.05


def planes_of(mask: sitk.Image, headers: Sequence[Header]) -> NDArray[Any]:
    """The mask's values (plane, row, column) in the order of the series' images.

    Of a multi-frame file every frame has its plane; those that are no part of the volume are 0.

    Args:
        mask: on the grid of the planes, which it may have in another order.
        headers: one a plane.

    Raises:
        SourceError: the mask is not on the planes' grid, e.g. because they were resampled.
    """
    first = headers[0]
    if mask.GetSize() != (first.columns, first.rows, len(headers)) or first.tiles:
        _refuse()
    values = sitk.GetArrayViewFromImage(mask)
    framed = first.frame is not None
    found = np.zeros((first.frames if framed else len(headers), *values.shape[1:]), values.dtype)
    for place, header in enumerate(headers):
        found[header.frame if framed else place] = values[_number(mask, header)]
    return found


def _number(mask: sitk.Image, header: Header) -> int:
    """Which plane of the mask has the corners of an image."""
    if header.position is None or header.orientation is None or header.spacing is None:
        raise SourceError("has no place in the patient", where=header.name)
    row, column = np.reshape(header.orientation, (2, 3))
    right = row * header.spacing[1] * (header.columns - 1)
    down = column * header.spacing[0] * (header.rows - 1)
    corner = np.array(header.position)
    places = np.array(
        [
            mask.TransformPhysicalPointToContinuousIndex(point.tolist())
            for point in (corner, corner + right + down)
        ]
    )
    number = round(float(places[0, 2]))
    wanted = [(0, 0, number), (header.columns - 1, header.rows - 1, number)]
    if np.abs(places - wanted).max() > VOXEL or not 0 <= number < mask.GetDepth():
        _refuse()
    return number


def _refuse() -> None:
    raise SourceError(
        "the mask is not on the grid of the series' images",
        hint="a resampled or mosaic volume can be written as format=nii.gz, mha or nrrd",
    )
