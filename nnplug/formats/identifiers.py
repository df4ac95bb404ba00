"""Free text in the header of a NIfTI file, which may name a patient."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".nii", ".nii.gz", ".hdr")
LARGEST = 1 << 20
# Offset and length of each text: nifti1.h and nifti2.h.
TEXTS = {
    348: {
        "data_type": (4, 10),
        "db_name": (14, 18),
        "descrip": (148, 80),
        "aux_file": (228, 24),
        "intent_name": (328, 16),
    },
    540: {"descrip": (240, 80), "aux_file": (320, 24), "intent_name": (508, 16)},
}


def identifiers(path: Path) -> Iterator[tuple[str, str]]:
    """Yield pairs of a field and a text in it, of the header and of its extensions.

    Nothing comes from a file that is not NIfTI, or is damaged.
    """
    if not path.name.lower().endswith(SUFFIXES):
        return
    head = before_voxels(path)
    size, _ = _size(head)
    for name, (start, length) in TEXTS.get(size, {}).items():
        text = head[start : start + length].split(b"\0")[0].decode("utf-8", "replace").strip()
        if text:
            yield name, text
    for text in re.findall(rb"[^\0-\x1f]{4,}", head[size + 4 :]):
        yield "extension", text.decode("utf-8", "replace").strip()


def before_voxels(path: Path) -> bytes:
    """Header and extensions of a NIfTI file, at most 1 MiB; empty where they can't be read."""
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
            head = stream.read(544)
            size, order = _size(head)
            if size == 348 and len(head) > 112:
                offset = int(struct.unpack(f"{order}f", head[108:112])[0])
            elif size == 540 and len(head) > 176:
                offset = int(struct.unpack(f"{order}q", head[168:176])[0])
            else:
                return b""
            end = min(max(offset, size + 4), LARGEST)
            return (head + stream.read(max(0, end - len(head))))[:end]
    except (OSError, EOFError, zlib.error, ValueError, OverflowError):
        return b""


def _size(head: bytes) -> tuple[int, str]:
    """The length of the header without extensions, and the byte order; 0 if it is no NIfTI."""
    for order in "<>":
        size = struct.unpack(f"{order}i", head[:4])[0] if len(head) >= 4 else 0
        if size in TEXTS:
            return size, order
    return 0, "<"
