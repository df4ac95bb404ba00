"""What a NIfTI file must hold by its header: readers fill what is missing with anything."""

from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnplug.errors import SourceError

MAX_VOXELS = 2**33
GZIP_RATIO = 1100
_HEADER = 348
_FLOAT32, _FLOAT64 = 16, 64
_CHUNK = 1 << 20
_SLACK = 1 << 20


@dataclass(frozen=True)
class _Header:
    sizes: tuple[int, ...]
    spacing: tuple[float, ...]
    bits: int
    offset: int
    floats: str | None

    @property
    def voxels(self) -> int:
        return math.prod(self.sizes)

    @property
    def stored(self) -> int:
        return self.offset + (self.voxels * self.bits + 7) // 8


def check_nifti(path: Path) -> None:
    """Check that a ``.nii`` or ``.nii.gz`` file is as long as its header says and undamaged.

    A compressed file is unpacked once, without being kept, and its checksum is compared.

    Raises:
        SourceError: it is not NIfTI, cut short, damaged, too large, or without a voxel size.
    """
    zipped = path.name.lower().endswith(".gz") and _starts_with_gzip(path)
    header = _parse(_beginning(path, zipped), path)
    if header.voxels > MAX_VOXELS:
        raise SourceError(
            f"the header claims {_times(header.sizes)} voxels, more than nnplug reads",
            where=str(path),
            hint="the header is probably damaged; export the image again",
        )
    if not all(math.isfinite(s) and s > 0 for s in header.spacing):
        raise SourceError(
            f"the voxel size in the header is {_times(header.spacing)} mm",
            where=str(path),
            hint="write the true voxel size into pixdim; it is never guessed",
        )
    size = path.stat().st_size
    possible = size * GZIP_RATIO if zipped else size
    finite = _FiniteCheck(header, path)
    held = possible if possible < header.stored else _length(path, zipped, header.stored, finite)
    if held < header.stored:
        raise SourceError(
            f"the file is cut short: its header ({_times(header.sizes)} voxels) needs "
            f"{header.stored} bytes, it holds {'at most ' if held == possible else ''}{held}",
            where=str(path),
            hint="copy or export the file again",
        )
    if held > header.stored + _SLACK and zipped:
        raise SourceError(
            f"the file unpacks to more than the {header.stored} bytes of its header",
            where=str(path),
            hint="export the file again; the header does not describe this image",
        )


def _starts_with_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _beginning(path: Path, zipped: bool) -> bytes:
    if zipped:
        return b"".join(_unpacked(path, _HEADER))[:_HEADER]
    with path.open("rb") as file:
        return file.read(_HEADER)


def _length(path: Path, zipped: bool, wanted: int, finite: _FiniteCheck) -> int:
    length = 0
    if zipped or finite.needed:
        for part in _unpacked(path, wanted + _SLACK + 1) if zipped else _parts(path):
            finite.look_at(part, length)
            length += len(part)
        return length
    return path.stat().st_size


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            yield part


class _FiniteCheck:
    """Finds NaN and infinity among stored floats, which ITK's reader turns into zeros."""

    def __init__(self, header: _Header, path: Path) -> None:
        self.needed = header.floats is not None
        self._header = header
        self._path = path
        self._rest = b""

    def look_at(self, part: bytes, position: int) -> None:
        """Take the next bytes of the file, which begin at ``position``.

        Raises:
            SourceError: one of the values is not finite.
        """
        if not self.needed:
            return
        import numpy as np

        begin = max(0, self._header.offset - position)
        end = max(0, self._header.stored - position)
        data = self._rest + part[begin:end]
        whole = len(data) - len(data) % (self._header.bits // 8)
        self._rest = data[whole:]
        if not np.isfinite(np.frombuffer(data[:whole], self._header.floats)).all():
            raise SourceError(
                "the image holds values that are not finite (NaN or infinity)",
                where=str(self._path),
                hint="replace them by what is meant, e.g. the value of air",
            )


def _unpacked(path: Path, limit: int) -> Iterator[bytes]:
    """Yield the unpacked bytes until ``limit`` of them have passed."""
    from isal import igzip, isal_zlib

    failures: tuple[Any, ...] = (EOFError, gzip.BadGzipFile, isal_zlib.error)
    done = 0
    try:
        with igzip.open(path, "rb") as file:
            while done < limit and (part := file.read(min(_CHUNK, limit - done))):
                done += len(part)
                yield part
    except failures as error:
        raise SourceError(
            f"the compressed file is cut short or damaged ({error})",
            where=str(path),
            hint="copy or export the file again",
        ) from error


def _parse(head: bytes, path: Path) -> _Header:
    for order in "<", ">":
        if head[:4] == struct.pack(f"{order}i", 348) and len(head) >= 348:
            sizes = struct.unpack_from(f"{order}8h", head, 40)
            kind, bits = struct.unpack_from(f"{order}2h", head, 70)
            spacing = struct.unpack_from(f"{order}8f", head, 76)
            (offset,) = struct.unpack_from(f"{order}f", head, 108)
            single = head[344:348] == b"n+1\0"
        elif head[:4] == struct.pack(f"{order}i", 540):
            raise SourceError(
                "this is a NIfTI-2 file, which SimpleITK can't read",
                where=str(path),
                hint="write the image as NIfTI-1",
            )
        else:
            continue
        count = sizes[0]
        if not single or not 1 <= count <= 7 or min(sizes[1 : count + 1]) < 1 or bits < 1:
            break
        if not math.isfinite(offset) or not 0 <= offset < 2**31:
            break
        used = [s for s in range(1, min(count, 3) + 1) if s < 3 or sizes[3] > 1]
        return _Header(
            sizes=sizes[1 : count + 1],
            spacing=tuple(spacing[axis] for axis in used),
            bits=bits,
            offset=max(int(offset), 348),
            floats={_FLOAT32: f"{order}f4", _FLOAT64: f"{order}f8"}.get(kind),
        )
    raise SourceError(
        "this is not a NIfTI file of one piece (header and voxels together)",
        where=str(path),
        hint="check the format; write Analyze and .hdr/.img pairs as .nii.gz",
    )


def _times(numbers: Iterable[float]) -> str:
    return " x ".join(f"{n:g}" if isinstance(n, float) else str(n) for n in numbers)
