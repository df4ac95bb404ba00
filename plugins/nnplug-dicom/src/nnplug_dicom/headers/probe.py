"""Telling DICOM files from others by their first bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

HEAD = 132
SUFFIXES = (".dcm", ".dicom", ".ima")
_SKIPPED = {"__MACOSX", "Thumbs.db"}
_MAX_DEPTH = 16
_MAX_FILES = 400
_VR = {b"UL", b"UI", b"CS", b"DA", b"TM", b"SH", b"LO", b"PN", b"OB", b"ST", b"DT"}


def is_dicom(head: bytes) -> bool:
    """Tell whether a file that starts with ``head`` (at least 132 bytes) looks like DICOM.

    Either the preamble and prefix of a DICOM file (PS3.10, 7.1), or, as older archives store
    it, a bare data set that begins with an element of group 0002 or 0008.
    """
    if head[128:132] == b"DICM":
        return True
    if len(head) < 16 or head[:2] not in (b"\x02\x00", b"\x08\x00"):
        return False
    element = int.from_bytes(head[2:4], "little")
    if element > 0x0100:
        return False
    return head[4:6] in _VR or int.from_bytes(head[4:8], "little") <= 64


def files_below(folder: Path) -> Iterator[str]:
    """Yield the paths of the files below ``folder`` in the order of their names.

    Hidden ones are left out. Links are followed, but never back to a folder above.
    """
    return _walk(str(folder), frozenset(), _MAX_DEPTH)


def _walk(folder: str, above: frozenset[tuple[int, int]], depth: int) -> Iterator[str]:
    status = os.stat(folder)
    here = (status.st_dev, status.st_ino)
    if here in above or depth == 0:
        return
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda e: e.name)
    for entry in listed:
        if entry.name.startswith(".") or entry.name in _SKIPPED:
            continue
        if entry.is_dir():
            yield from _walk(entry.path, above | {here}, depth - 1)
        elif entry.is_file():
            yield entry.path


def holds_dicom(source: Path) -> bool:
    """Tell whether one of the first few hundred files below ``source`` is DICOM."""
    if not source.is_dir():
        return False
    try:
        return any(starts_like_dicom(p) for p in islice(files_below(source), _MAX_FILES))
    except OSError:
        return False


def starts_like_dicom(path: str) -> bool:
    """Tell whether the first bytes of a file look like DICOM; see :func:`is_dicom`."""
    with open(path, "rb", buffering=0) as file:
        return is_dicom(file.read(HEAD))
