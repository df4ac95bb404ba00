"""The size that a compressed image itself claims.

Decoders believe it: a damaged one makes them allocate gigabytes, or end the process. So it is
compared with the header before anything is decoded.
"""

from __future__ import annotations

import struct
from pathlib import Path

from pydicom.encaps import generate_frames

from nnplug.errors import SourceError
from nnplug_dicom.headers.header import Header

_JPEGS = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91, 201, 202, 203)}
_SIZ = b"\xff\x4f\xff\x51"
_JP2_BOXES = 4096
_FRAMES = {0xF7, *range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD8)}
_ENDS = {0xD9, 0xDA}


def check_coded_sizes(header: Header, shape: tuple[int, int]) -> None:
    """Check that every compressed frame of a file has the header's size and one component.

    Args:
        header: of any plane of the file; other syntaxes than those of JPEG pass.
        shape: rows and columns of a frame.

    Raises:
        SourceError: a frame has another size, or none.
    """
    if header.syntax not in _JPEGS or header.pixels is None:
        return
    with header.path.open("rb") as file:
        file.seek(header.pixels[0])
        for stream in generate_frames(file, number_of_frames=header.frames):
            _check(stream, shape, header.path)


def coded_size(stream: bytes) -> tuple[int, int, int] | None:
    """Return rows, columns and components of a JPEG, JPEG-LS or JPEG 2000 stream, or None.

    From the frame header (ITU-T T.81, B.2.2; T.87, C.1.1) or the SIZ marker (T.800, A.5.1).
    """
    try:
        if stream[:2] == b"\xff\xd8":
            return _frame_header(stream)
        at = stream[:_JP2_BOXES].find(_SIZ)
        if at < 0:
            return None
        right, bottom, left, top = struct.unpack_from(">4I", stream, at + 8)
        (components,) = struct.unpack_from(">H", stream, at + 40)
        return bottom - top, right - left, components
    except struct.error:
        return None


def _frame_header(stream: bytes) -> tuple[int, int, int] | None:
    at = 2
    while True:
        filler, marker = struct.unpack_from(">2B", stream, at)
        if filler != 0xFF or marker in _ENDS:
            return None
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            rows, columns, components = struct.unpack_from(">HHB", stream, at + 5)
            return rows, columns, components
        else:
            at += 2 + struct.unpack_from(">H", stream, at + 2)[0]


def _check(stream: bytes, shape: tuple[int, int], path: Path) -> None:
    size = coded_size(stream)
    if size is None:
        raise SourceError("there is no image size in the compressed pixels", where=path.name)
    if size != (*shape, 1):
        raise SourceError(
            f"the compressed pixels are {size[1]} x {size[0]} with {size[2]} components, where "
            f"the header promises {shape[1]} x {shape[0]} with one",
            where=path.name,
            hint="the file is damaged; export it again",
        )
