"""Stored pixel values of one image, before rescaling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.utils import pixel_array

from nnplug.errors import SourceError
from nnplug_dicom.fields import DEFLATED, EXPLICIT, IMPLICIT
from nnplug_dicom.header import Header

_PLAIN = {IMPLICIT, EXPLICIT}

Stored = NDArray[np.integer[Any]]


def stored_type(header: Header) -> np.dtype[Any]:
    """Return the type of the stored values: 8, 16 or 32 bits, little endian.

    Raises:
        SourceError: the image is not made of single integers a pixel, has several frames, or
            is cut off.
    """
    if header.frames > 1:
        raise SourceError(
            f"multi-frame DICOM ({header.frames} frames in {header.path.name}) is not read yet",
            hint="convert it to one file a slice",
        )
    if "MOSAIC" in header.image_type:
        raise SourceError(
            f"{header.path.name} is a mosaic, many slices in one image, which is not read yet"
        )
    if header.samples != 1 or not header.photometric.startswith("MONOCHROME"):
        raise SourceError(
            f"colour images are not read: {header.photometric or 'unknown'} with "
            f"{header.samples} samples a pixel in {header.path.name}"
        )
    if header.pixels is None:
        raise SourceError(f"there are no integer pixels in {header.path.name}")
    if header.allocated not in (8, 16, 32) or not 1 <= header.stored <= header.allocated:
        raise SourceError(
            f"{header.stored} of {header.allocated} bits a pixel are not supported "
            f"({header.path.name})"
        )
    if not header.rows or not header.columns:
        raise SourceError(f"an image without pixels: {header.columns} x {header.rows}")
    if header.syntax in _PLAIN:
        _refuse_cut_off(header, header.pixels)
    if header.high_bit != header.stored - 1:
        raise SourceError(
            f"HighBit {header.high_bit} does not fit {header.stored} stored bits "
            f"({header.path.name})"
        )
    return np.dtype(f"<{'i' if header.signed else 'u'}{header.allocated // 8}")


def read_stored(header: Header, out: Stored) -> None:
    """Fill ``out`` (rows, columns; contiguous, of ``stored_type``) with the stored values.

    Uncompressed values go from the file into ``out`` without a copy; pydicom's decoders read
    the others. Bits above BitsStored are not part of a value (PS3.5, 8.1.1) and are cleared,
    or filled with the sign.

    Raises:
        SourceError: the file has become shorter, or no decoder reads it.
    """
    if header.syntax in _PLAIN and header.pixels is not None:
        _read_plain(header, header.pixels, out)
    else:
        _decode(header, out)
    unused = header.allocated - header.stored
    if unused and header.signed:
        np.left_shift(out, unused, out=out)
        np.right_shift(out, unused, out=out)
    elif unused:
        np.bitwise_and(out, (1 << header.stored) - 1, out=out)


def _refuse_cut_off(header: Header, place: tuple[int, int]) -> None:
    needed = header.rows * header.columns * header.allocated // 8
    there = min(place[1], header.path.stat().st_size - place[0])
    if there < needed:
        raise SourceError(
            f"the file is cut off: {there} of {needed} bytes of pixels", where=header.path.name
        )


def _read_plain(header: Header, place: tuple[int, int], out: Stored) -> None:
    view, got = out.data.cast("B"), 0
    with header.path.open("rb", buffering=0) as file:
        file.seek(place[0])
        while got < out.nbytes and (read := file.readinto(view[got:])):
            got += read
    if got < out.nbytes:
        raise SourceError("the file became shorter while it was read", where=header.path.name)


def _decode(header: Header, out: Stored) -> None:
    try:
        deflated = header.syntax == DEFLATED
        values = pixel_array(dcmread(header.path) if deflated else header.path, raw=True)
    except Exception as error:
        raise SourceError(
            f"the pixels (transfer syntax {header.syntax or 'unknown'}) can't be decoded: {error}",
            where=header.path.name,
        ) from error
    if values.shape != out.shape:
        raise SourceError(
            f"{values.shape} pixels decoded where the header promises {out.shape}",
            where=header.path.name,
        )
    out[...] = values
