"""A quick walk over a header (PS3.5, 7.1) for the files that have no surprises.

Reading thousands of slices, most time would go into building data sets of which two dozen
fields are needed. What this walk is not sure about it leaves to pydicom by returning None.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import BinaryIO

from nnplug_dicom.headers.fields import BIG_ENDIAN, DEFLATED, IMPLICIT, PIXELS, TAGS, Fields

WINDOWS = (1 << 14, 1 << 18)
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
_LOOKUP = "ModalityLUTSequence"
_LAST = max(TAGS)
_MAX_DEPTH = 16

_implicit = struct.Struct("<II").unpack_from
_explicit = struct.Struct("<I2sH").unpack_from
_long = struct.Struct("<I").unpack_from
_unpack_double = struct.Struct("<d").unpack


def _swapped(tag: int) -> int:
    """A tag as the walk reads it: group and element are two numbers, the lower bytes first."""
    return (tag & 0xFFFF) << 16 | tag >> 16


class _UnsureError(Exception):
    """The walk has met something that pydicom should read."""


def scan_fields(file: BinaryIO, head: bytes = b"") -> Fields | None:
    """Read the header as :func:`nnplug_dicom.headers.fields.read_fields` does, or return None.

    Args:
        file: the file.
        head: its first bytes, where they were read already.
    """
    for window in WINDOWS:
        if len(head) < window:
            file.seek(0)
            head = file.read(window)
        try:
            return _walk(head)
        except struct.error:
            if len(head) < window:
                return None
        except _UnsureError:
            return None
    return None


def _walk(data: bytes) -> Fields:
    """This loop is where most time goes when an archive is indexed."""
    if data[128:132] != b"DICM":
        raise _UnsureError
    meta, at = _meta(data)
    syntax, media_class = meta.get(0x00020010, ""), meta.get(0x00020002, "")
    if not syntax or syntax in (DEFLATED, BIG_ENDIAN):
        raise _UnsureError
    explicit, wanted, short = syntax != IMPLICIT, _WANTED, _SHORT
    values: dict[str, str] = {}
    while True:
        if explicit:
            key, kind, length = _explicit(data, at)
            start, sequence = at + 8, False
            if kind not in short:
                sequence, start, length = _longer(data, at, key, kind)
        else:
            key, length = _implicit(data, at)
            start, sequence = at + 8, length == _UNDEFINED
        if key in wanted:
            word, meaning = wanted[key]
            if not meaning:
                return Fields(values, media_class, syntax, (start, length), word)
            if sequence or word == _LOOKUP:
                values[word] = word
            elif text := meaning(_value(data, start, length)):
                values[word] = text
        elif sequence and _swapped(key) > _LAST and "Rows" not in values:
            return Fields(values, media_class, syntax, None)
        at = _sequence_end(data, start, explicit, 0) if length == _UNDEFINED else start + length


def _meta(data: bytes) -> tuple[dict[int, str], int]:
    found: dict[int, str] = {}
    at = 132
    while data[at : at + 2] == b"\x02\x00":
        tag, _, start, length = _element(data, at, True)
        if tag in (0x00020002, 0x00020010):
            found[tag] = _text(_value(data, start, length))
        at = start + length
    return found, at


def _element(data: bytes, at: int, explicit: bool) -> tuple[int, bool, int, int]:
    """Tag, whether it is a sequence, and the place and length of its value."""
    if not explicit:
        key, length = _implicit(data, at)
        return _swapped(key), length == _UNDEFINED, at + 8, length
    key, kind, length = _explicit(data, at)
    if kind in _SHORT:
        return _swapped(key), False, at + 8, length
    return _swapped(key), *_longer(data, at, key, kind)


def _longer(data: bytes, at: int, key: int, kind: bytes) -> tuple[bool, int, int]:
    """Of an element with four bytes of length whether it is a sequence, its place and length."""
    if kind not in _LONG:
        raise _UnsureError
    (length,) = _long(data, at + 8)
    if length == _UNDEFINED and kind != b"SQ" and _swapped(key) != _PIXEL_DATA:
        raise _UnsureError
    return kind == b"SQ", at + 12, length


def _sequence_end(data: bytes, at: int, explicit: bool, depth: int) -> int:
    if depth > _MAX_DEPTH:
        raise _UnsureError
    while True:
        key, length = _implicit(data, at)
        at += 8
        tag = _swapped(key)
        if tag == _SEQUENCE_END:
            return at
        if tag != _ITEM:
            raise _UnsureError
        at = _item_end(data, at, explicit, depth) if length == _UNDEFINED else at + length


def _item_end(data: bytes, at: int, explicit: bool, depth: int) -> int:
    while True:
        if _swapped(_implicit(data, at)[0]) == _ITEM_END:
            return at + 8
        _, _, start, length = _element(data, at, explicit)
        if length == _UNDEFINED:
            at = _sequence_end(data, start, explicit, depth + 1)
        else:
            at = start + length


def _value(data: bytes, start: int, length: int) -> bytes:
    value = data[start : start + length]
    if len(value) < length:
        raise struct.error
    return value


@lru_cache(maxsize=4096)
def _text(value: bytes) -> str:
    if not value.isascii() or b"\x1b" in value:
        raise _UnsureError
    text = value.decode("ascii").strip(" \0")
    if "\\" not in text:
        return text
    return "\\".join(part.strip(" \0") for part in text.split("\\"))


@lru_cache(maxsize=256)
def _number(value: bytes) -> str:
    if len(value) != 2:
        raise _UnsureError
    return str(int.from_bytes(value, "little"))


def _double(value: bytes) -> str:
    if len(value) != 8:
        raise _UnsureError
    return str(_unpack_double(value)[0])


def _meaning(tag: int) -> Callable[[bytes], str]:
    if tag in _NUMBERS:
        return _number
    return _double if tag == 0x00189087 else _text


_WANTED: dict[int, tuple[str, Callable[[bytes], str] | None]] = {
    **{_swapped(tag): (word, _meaning(tag)) for tag, word in TAGS.items()},
    **{_swapped(tag): (real, None) for tag, real in PIXELS.items()},
}
