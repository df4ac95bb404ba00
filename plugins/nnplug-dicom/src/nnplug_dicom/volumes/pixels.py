"""Stored pixel values, before rescaling."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug_dicom.headers.fields import BIG_ENDIAN, EXPLICIT, IMPLICIT
from nnplug_dicom.headers.header import Header
from nnplug_dicom.headers.mosaic import is_mosaic

_PLAIN = {IMPLICIT, EXPLICIT}
_NATIVE = {*_PLAIN, BIG_ENDIAN, ""}
_LONGEST_HEAD = 12
_PIXELS_HEAD = re.compile(rb"\xe0\x7f[\x08\x09\x10]\x00(O[BWFD]..)?....\Z", re.DOTALL)
_RATIO = 1100
_SMALL = 1 << 26

Stored = NDArray[Any]


def stored_type(header: Header) -> np.dtype[Any]:
    """Return the type of the stored values: integers or floats, little endian.

    Raises:
        SourceError: the plane is not made of single numbers a pixel, has no place of its own
            (frames without positions, a mosaic without its private header), is cut off, or
            claims more pixels than its file can hold.
    """
    if header.frames > 1 and header.frame is None:
        raise SourceError(
            f"multi-frame DICOM ({header.frames} frames in {header.name}) whose frames have no "
            "positions of their own is no volume",
            hint="export the series as one file a slice, or as an enhanced image",
        )
    if is_mosaic(header):
        raise SourceError(
            f"{header.name} is a mosaic, many slices in one image, and where they lie is not "
            "known: the private Siemens header (number of images, slice normal) or "
            "SpacingBetweenSlices was removed or doesn't fit",
            hint="export the series again without removing private elements",
        )
    if header.samples != 1 or not header.photometric.startswith("MONOCHROME"):
        raise SourceError(
            f"colour images are not read: {header.photometric or 'unknown'} with "
            f"{header.samples} samples a pixel in {header.name}",
            hint="choose another series of the case, or leave the case out",
        )
    if header.pixels is None:
        raise SourceError(f"there are no pixels in {header.name}")
    if not header.rows or not header.columns:
        raise SourceError(
            f"an image without pixels: {header.columns} x {header.rows} ({header.name})"
        )
    kind = np.dtype(f"<{header.real}") if header.real else _integer_type(header)
    _refuse_impossible(header, header.pixels)
    return kind


def read_stored(headers: Sequence[Header], out: Stored) -> None:
    """Fill ``out`` (planes, rows, columns; contiguous, of ``stored_type``) with stored values.

    Uncompressed values go from the file into ``out`` without a copy; pydicom's decoders read
    the others. Each file is opened once. Bits above BitsStored are not part of a value (PS3.5,
    8.1.1) and are cleared, or filled with the sign.

    Raises:
        SourceError: a file has become shorter, or no decoder reads it.
    """
    for members in _by_file(headers):
        _read_file([headers[i] for i in members], [out[i] for i in members])
        for i in members:
            _clear_unused(headers[i], out[i])


def _integer_type(header: Header) -> np.dtype[Any]:
    if header.allocated not in (1, 8, 16, 32) or not 1 <= header.stored <= header.allocated:
        raise SourceError(
            f"{header.stored} of {header.allocated} bits a pixel are not supported ({header.name})"
        )
    if header.high_bit != header.stored - 1:
        raise SourceError(
            f"HighBit {header.high_bit} does not fit {header.stored} stored bits ({header.name})"
        )
    return np.dtype(f"<{'i' if header.signed else 'u'}{max(header.allocated // 8, 1)}")


def _refuse_impossible(header: Header, place: tuple[int, int]) -> None:
    pixels = header.frames * header.rows * header.columns * max(header.tiles, 1) ** 2
    needed = (pixels * header.allocated + 7) // 8
    held = max(_size(header) - place[0], 0)
    if header.syntax in _PLAIN and (there := min(place[1], held)) < needed:
        raise SourceError(
            f"the file is cut off: {there} of {needed} bytes of pixels", where=header.name
        )
    if needed > max(_SMALL, held * (1 if header.syntax in _NATIVE else _RATIO)):
        raise SourceError(
            f"the header claims {needed} bytes of pixels, far more than a file of {held} bytes "
            "can hold",
            where=header.name,
            hint="the file is damaged; export it again",
        )


def _size(header: Header) -> int:
    try:
        return os.stat(header.file).st_size
    except OSError as error:
        raise SourceError(f"can't be read: {error.strerror}", where=header.name) from error


def _by_file(headers: Sequence[Header]) -> Collection[list[int]]:
    files: dict[str, list[int]] = {}
    for number, header in enumerate(headers):
        files.setdefault(header.file, []).append(number)
    return files.values()


def _read_file(headers: Sequence[Header], planes: Sequence[Stored]) -> None:
    first = headers[0]
    if not first.tiles:
        _read_frames(first, [h.frame or 0 for h in headers], planes)
        return
    rows, columns = first.rows, first.columns
    mosaic = np.empty((first.tiles * rows, first.tiles * columns), planes[0].dtype)
    _read_frames(first, [0], [mosaic])
    for header, plane in zip(headers, planes, strict=True):
        down, right = divmod(header.frame or 0, first.tiles)
        plane[...] = mosaic[down * rows :, right * columns :][:rows, :columns]


def _read_frames(header: Header, numbers: Sequence[int], targets: Sequence[Stored]) -> None:
    if header.syntax in _PLAIN and header.pixels is not None and header.allocated > 1:
        _read_plain(header, header.pixels[0], numbers, targets)
    else:
        from nnplug_dicom.volumes.decode import decode

        decode(header, numbers, targets)


def _read_plain(
    header: Header, start: int, numbers: Sequence[int], targets: Sequence[Stored]
) -> None:
    with open(header.file, "rb", buffering=0) as file:
        file.seek(start - _LONGEST_HEAD)
        if not _PIXELS_HEAD.search(file.read(_LONGEST_HEAD)):
            raise SourceError(
                "is no longer the image that was found",
                where=header.name,
                hint="does something change the source meanwhile? convert again",
            )
        for number, target in zip(numbers, targets, strict=True):
            file.seek(start + number * target.nbytes)
            view, got = target.data.cast("B"), 0
            while got < target.nbytes and (read := file.readinto(view[got:])):
                got += read
            if got < target.nbytes:
                raise SourceError("the file became shorter while it was read", where=header.name)


def _clear_unused(header: Header, plane: Stored) -> None:
    unused = header.allocated - header.stored
    if not unused or header.real:
        return
    if header.signed:
        np.left_shift(plane, unused, out=plane)
        np.right_shift(plane, unused, out=plane)
    else:
        np.bitwise_and(plane, (1 << header.stored) - 1, out=plane)
