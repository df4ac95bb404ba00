"""A quick walk over a header (PS3.5, 7.1) for the files that have no surprises.

Reading thousands of slices, most time would go into building data sets of which two dozen
fields are needed. What this walk is not sure about it leaves to pydicom by returning None.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from nnplug_dicom.headers.fields import BIG_ENDIAN, DEFLATED, IMPLICIT, PIXELS, TAGS, Fields

_WINDOWS = (1 << 14, 1 << 18)
_UNDEFINED = 0xFFFFFFFF
_PIXEL_DATA = 0x7FE00010
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = {b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT"}
_SHORT = {
    *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN"),
    *(b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
}
_NUMBERS = {
    *(0x00280002, 0x00280006, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102),
    *(0x00280103, 0x00280120, 0x00280121),
}
_DOUBLE = 0x00189087
_LAST = max(TAGS)
_MAX_DEPTH = 16

_implicit = struct.Struct("<HHI").unpack_from
_explicit = struct.Struct("<HH2sH").unpack_from
_long = struct.Struct("<I").unpack_from
_double = struct.Struct("<d").unpack


class _UnsureError(Exception):
    """The walk has met something that pydicom should read."""


def scan_fields(file: BinaryIO) -> Fields | None:
    """Read the header as :func:`nnplug_dicom.headers.fields.read_fields` does, or return None."""
    for window in _WINDOWS:
        file.seek(0)
        data = file.read(window)
        try:
            return _walk(data)
        except struct.error:
            if len(data) < window:
                return None
        except _UnsureError:
            return None
    return None


def _walk(data: bytes) -> Fields:
    if data[128:132] != b"DICM":
        raise _UnsureError
    meta, at = _meta(data)
    syntax = meta.get(0x00020010, "")
    if not syntax or syntax in (DEFLATED, BIG_ENDIAN):
        raise _UnsureError
    explicit = syntax != IMPLICIT
    values: dict[str, str] = {}
    while True:
        tag, sequence, start, length = _element(data, at, explicit)
        if tag in TAGS:
            text = TAGS[tag] if sequence else _text(data, tag, start, length)
            if text:
                values[TAGS[tag]] = text
        elif tag in PIXELS:
            media_class = meta.get(0x00020002, "")
            return Fields(values, media_class, syntax, (start, length), PIXELS[tag])
        elif tag > _LAST and "Rows" not in values:
            return Fields(values, meta.get(0x00020002, ""), syntax, None)
        at = _sequence_end(data, start, explicit, 0) if length == _UNDEFINED else start + length


def _meta(data: bytes) -> tuple[dict[int, str], int]:
    found: dict[int, str] = {}
    at = 132
    while _implicit(data, at)[0] == 2:
        tag, _, start, length = _element(data, at, True)
        if tag in (0x00020002, 0x00020010):
            found[tag] = _text(data, tag, start, length)
        at = start + length
    return found, at


def _element(data: bytes, at: int, explicit: bool) -> tuple[int, bool, int, int]:
    if not explicit:
        group, number, length = _implicit(data, at)
        tag = group << 16 | number
        return tag, length == _UNDEFINED or tag == 0x00283000, at + 8, length
    group, number, kind, length = _explicit(data, at)
    tag = group << 16 | number
    if kind in _SHORT:
        return tag, False, at + 8, length
    if kind in _LONG:
        (length,) = _long(data, at + 8)
        if length == _UNDEFINED and kind != b"SQ" and tag != _PIXEL_DATA:
            raise _UnsureError
        return tag, kind == b"SQ", at + 12, length
    raise _UnsureError


def _sequence_end(data: bytes, at: int, explicit: bool, depth: int) -> int:
    if depth > _MAX_DEPTH:
        raise _UnsureError
    while True:
        group, number, length = _implicit(data, at)
        at += 8
        tag = group << 16 | number
        if tag == _SEQUENCE_END:
            return at
        if tag != _ITEM:
            raise _UnsureError
        at = _item_end(data, at, explicit, depth) if length == _UNDEFINED else at + length


def _item_end(data: bytes, at: int, explicit: bool, depth: int) -> int:
    while True:
        group, number, _ = _implicit(data, at)
        if group << 16 | number == _ITEM_END:
            return at + 8
        _, _, start, length = _element(data, at, explicit)
        if length == _UNDEFINED:
            at = _sequence_end(data, start, explicit, depth + 1)
        else:
            at = start + length


def _text(data: bytes, tag: int, start: int, length: int) -> str:
    value = data[start : start + length]
    if len(value) < length:
        raise struct.error
    if tag in _NUMBERS:
        if length != 2:
            raise _UnsureError
        return str(int.from_bytes(value, "little"))
    if tag == _DOUBLE:
        if length != 8:
            raise _UnsureError
        return str(_double(value)[0])
    if not value.isascii() or b"\x1b" in value:
        raise _UnsureError
    text = value.decode("ascii").strip(" \0")
    if "\\" not in text:
        return text
    return "\\".join(part.strip(" \0") for part in text.split("\\"))
