"""Siemens' private CSA header: names and texts, in one of two layouts.

Both are a list of tags, each with a name and a list of texts. Layout 2 starts with ``SV10``.
The lengths of layout 1 are written with the first tag's item count added to them. The format
is described in NiBabel's documentation, "Siemens format DICOM with CSA header".
"""

from __future__ import annotations

import struct
from collections.abc import Collection

_TAG = struct.Struct("<64sI4sIII")
_ITEM = struct.Struct("<4I")
_MAX_TAGS = 1024
_MAX_ITEMS = 4096


def read_csa(data: bytes, names: Collection[str]) -> dict[str, list[str]]:
    """Read the texts of some tags.

    Args:
        data: the value of (0029,xx10) or (0029,xx20) with the creator ``SIEMENS CSA HEADER``.
        names: the tags that are wanted.

    Returns:
        The texts that are not empty, by tag; tags that are absent are left out.

    Raises:
        ValueError: a count or length leads out of the data.
    """
    try:
        return _read(data, names)
    except struct.error as error:
        raise ValueError(f"the CSA header is cut off ({error})") from error


def _read(data: bytes, names: Collection[str]) -> dict[str, list[str]]:
    second = data[:4] == b"SV10"
    at = 8 if second else 0
    (count,) = struct.unpack_from("<I", data, at)
    if count > _MAX_TAGS:
        raise ValueError(f"the CSA header claims {count} tags")
    at += 8
    found: dict[str, list[str]] = {}
    excess: int | None = 0 if second else None
    for _ in range(count):
        name, _, _, _, items, _ = _TAG.unpack_from(data, at)
        at += _TAG.size
        if items > _MAX_ITEMS:
            raise ValueError(f"the CSA header claims {items} items in a tag")
        excess = items if excess is None else excess
        texts, at = _items(data, at, items, excess, second)
        key = name.split(b"\0")[0].decode("latin-1")
        if key in names:
            found[key] = [t for t in texts if t]
    return found


def _items(data: bytes, at: int, count: int, excess: int, second: bool) -> tuple[list[str], int]:
    texts: list[str] = []
    for _ in range(count):
        sizes = _ITEM.unpack_from(data, at)
        at += _ITEM.size
        length = sizes[1] if second else sizes[0] - excess
        if not 0 <= length <= len(data) - at:
            if not second:  # how layout 1 marks the end of a tag's items
                break
            raise ValueError(f"the CSA header claims an item of {length} bytes")
        texts.append(data[at : at + length].split(b"\0")[0].decode("latin-1").strip())
        at += (length + 3) // 4 * 4
    return texts, at
