"""From the planes of a series to one array of real-world values."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug_dicom.headers.header import Header
from nnplug_dicom.volumes.pixels import read_stored, stored_type

_INTEGERS = ("u1", "i2", "u2", "i4", "u4")


def read_values(headers: Sequence[Header]) -> NDArray[Any]:
    """Read planes in real-world values (HU for CT).

    Each plane's own RescaleSlope and RescaleIntercept apply (PS3.3, C.11.1). Where all slopes
    are 1 and all intercepts whole numbers the values stay integers, in the first type of uint8
    (for 8-bit images), int16, uint16, int32, uint32 that holds them all; otherwise they are
    computed in float64 and stored as float32. MONOCHROME1 says how to display values, not what
    they mean: nothing is inverted. Padding (PixelPaddingValue) is rescaled like any other value
    and stays.

    Args:
        headers: one a plane, in the order of the result.

    Returns:
        An array (planes, rows, columns).

    Raises:
        SourceError: a plane can't be read, or the planes can't be one volume.
    """
    kinds = {stored_type(h) for h in headers}
    if len(kinds) > 1:
        raise SourceError(f"the images store different types: {sorted(str(k) for k in kinds)}")
    for header in headers:
        if header.lookup:
            raise SourceError(f"{header.name} has a Modality LUT, which is not supported")
        if not (isfinite(header.slope) and isfinite(header.intercept)) or header.slope == 0:
            raise SourceError(
                f"{header.name} has RescaleSlope {header.slope} and RescaleIntercept "
                f"{header.intercept}"
            )
    stored = np.empty((len(headers), headers[0].rows, headers[0].columns), kinds.pop())
    whole = all(h.slope == 1 and float(h.intercept).is_integer() for h in headers)
    if whole and stored.dtype.kind != "f":
        return _integers(headers, stored)
    return _floats(headers, stored)


def _integers(headers: Sequence[Header], volume: NDArray[Any]) -> NDArray[Any]:
    read_stored(headers, volume)
    shifts = [int(h.intercept) for h in headers]
    low, high = (ends.tolist() for ends in (volume.min(axis=(1, 2)), volume.max(axis=(1, 2))))
    stored = volume.dtype
    target = _smallest(min(map(add, low, shifts)), max(map(add, high, shifts)), stored)
    if target.itemsize != stored.itemsize:
        return _widened(volume, shifts, target)
    if any(shifts):
        bits = volume.view(f"u{stored.itemsize}")
        wrapped = [shift % (1 << 8 * stored.itemsize) for shift in shifts]
        np.add(bits, np.array(wrapped, bits.dtype)[:, None, None], out=bits)
    return volume.view(target)


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


def _floats(headers: Sequence[Header], stored: NDArray[Any]) -> NDArray[np.float32]:
    volume = np.empty(stored.shape, np.float32)
    exact = np.empty(stored.shape[1:], np.float64)
    read_stored(headers, stored)
    for header, plane, into in zip(headers, stored, volume, strict=True):
        np.multiply(plane, header.slope, out=exact)
        np.add(exact, header.intercept, out=exact)
        into[...] = exact
    return volume
