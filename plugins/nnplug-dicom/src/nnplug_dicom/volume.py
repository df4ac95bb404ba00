"""From the slices of a series to one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug_dicom.geometry import Grid
from nnplug_dicom.header import Header
from nnplug_dicom.pixels import read_stored, stored_type

_INTEGERS = ("u1", "i2", "u2", "i4", "u4")


def read_volume(headers: Sequence[Header], grid: Grid) -> sitk.Image:
    """Read the pixels of a series in real-world values (HU for CT).

    Each slice's own RescaleSlope and RescaleIntercept apply (PS3.3, C.11.1). Where all slopes
    are 1 and all intercepts whole numbers the values stay integers, in the first type of uint8
    (for 8-bit images), int16, uint16, int32, uint32 that holds them all; otherwise they are
    computed in float64 and stored as float32. MONOCHROME1 says how to display values, not what
    they mean: nothing is inverted.

    Args:
        headers: one a slice, in any order.
        grid: what :func:`nnplug_dicom.geometry.build_grid` made of them.

    Returns:
        A scalar image without metadata.

    Raises:
        SourceError: a slice can't be read, or the slices can't be one volume.
    """
    ordered = [headers[i] for i in grid.order]
    kinds = {stored_type(h) for h in ordered}
    if len(kinds) > 1:
        raise SourceError(f"the images store different types: {sorted(str(k) for k in kinds)}")
    for header in ordered:
        if header.lookup:
            raise SourceError(f"{header.path.name} has a Modality LUT, which is not supported")
        if not np.isfinite([header.slope, header.intercept]).all() or header.slope == 0:
            raise SourceError(
                f"{header.path.name} has RescaleSlope {header.slope} and RescaleIntercept "
                f"{header.intercept}"
            )
    stored = kinds.pop()
    if all(h.slope == 1 and h.intercept.is_integer() for h in ordered):
        values = _integers(ordered, stored)
    else:
        values = _floats(ordered, stored)
    image: Any = sitk.GetImageFromArray(values)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    return cast(sitk.Image, image)


def _integers(ordered: Sequence[Header], stored: np.dtype[Any]) -> NDArray[Any]:
    volume = np.empty((len(ordered), ordered[0].rows, ordered[0].columns), stored)
    shifts = [int(h.intercept) for h in ordered]
    low, high = [], []
    for plane, header, shift in zip(volume, ordered, shifts, strict=True):
        read_stored(header, plane)
        low.append(int(plane.min()) + shift)
        high.append(int(plane.max()) + shift)
    target = _smallest(min(low), max(high), stored)
    if target.itemsize == stored.itemsize:
        values = volume.view(target)
        for plane, shift in zip(volume.view(f"u{stored.itemsize}"), shifts, strict=True):
            if shift:
                np.add(plane, plane.dtype.type(shift % (1 << 8 * stored.itemsize)), out=plane)
        return values
    return _widened(volume, shifts, target)


def _widened(volume: NDArray[Any], shifts: Sequence[int], target: np.dtype[Any]) -> NDArray[Any]:
    values = np.empty(volume.shape, target)
    for into, plane, shift in zip(values, volume, shifts, strict=True):
        into[...] = plane.astype(np.int64) + shift
    return values


def _smallest(low: int, high: int, stored: np.dtype[Any]) -> np.dtype[Any]:
    for name in _INTEGERS:
        kind = np.dtype(name)
        if kind.itemsize == 1 and stored.itemsize > 1:
            continue
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return kind
    raise SourceError(f"values from {low} to {high} fit no integer type")


def _floats(ordered: Sequence[Header], stored: np.dtype[Any]) -> NDArray[np.float32]:
    rows, columns = ordered[0].rows, ordered[0].columns
    volume = np.empty((len(ordered), rows, columns), np.float32)
    plane = np.empty((rows, columns), stored)
    exact = np.empty((rows, columns), np.float64)
    for into, header in zip(volume, ordered, strict=True):
        read_stored(header, plane)
        np.multiply(plane, header.slope, out=exact)
        np.add(exact, header.intercept, out=exact)
        into[...] = exact
    return volume
