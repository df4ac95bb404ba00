"""Unpack a zip file that nobody vouches for."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from nnplug.engine.bundles.layout import unit_of
from nnplug.errors import DataError

# bz2 and lzma streams can't be read in bounded steps by zipfile.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold.

    Attributes:
        size: bytes of all files once unpacked.
        files: number of entries.
        ratio: unpacked size over the archive's own; weights hardly shrink at all.
    """

    size: int = 64 << 30
    files: int = 2000
    ratio: int = 100


def unpack(stream: BinaryIO, where: str, target: Path, limits: Limits) -> list[str]:
    """Write the files of a bundle below ``target``, or nothing that isn't one.

    Everything that the archive's directory says is checked before the first byte is written.
    ``zipfile`` never yields more bytes of an entry than the directory says.

    Args:
        stream: the zip file.
        where: its name, for errors.
        target: an empty folder.
        limits: what is too much.

    Returns:
        The names of the files, as in the archive.

    Raises:
        DataError: not a whole zip file, too big, or it holds what no bundle holds.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = _check(archive.infolist(), stream.seek(0, 2), where, limits)
            for entry in entries:
                path = target / entry.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, path.open("xb") as sink:
                    shutil.copyfileobj(source, sink)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise DataError(
            f"not a whole zip file: {error or type(error).__name__}",
            where=where,
            hint="get it again from its source",
        ) from error
    return [entry.filename for entry in entries]


def _check(
    infos: Sequence[zipfile.ZipInfo], packed: int, where: str, limits: Limits
) -> list[zipfile.ZipInfo]:
    """The entries that are files, after every entry was found harmless."""
    size = sum(info.file_size for info in infos)
    if len(infos) > limits.files:
        raise DataError(f"it holds {len(infos)} files", where=where, hint="max_files=N allows more")
    if size > limits.size:
        raise DataError(
            f"it unpacks to {size / 1e9:.1f} GB", where=where, hint="max_gb=N allows more"
        )
    if size > limits.ratio * packed:
        raise DataError(
            f"it unpacks to {size / 1e6:.0f} MB, {size // max(packed, 1)} times its own size; "
            "no model shrinks like that",
            where=where,
            hint="max_ratio=N allows more",
        )
    files = [info for info in infos if not info.is_dir()]
    seen: set[str] = set()
    for info in infos:
        if problem := _problem(info, files, seen):
            raise DataError(
                f"{info.orig_filename!r} {problem}",
                where=where,
                hint="this is not what nnUNet_export_model_to_zip or nnplug bundle export makes; "
                "nothing was imported",
            )
        seen.add(info.orig_filename.casefold())
    if not files:
        raise DataError("it holds no files", where=where)
    return files


def _problem(info: zipfile.ZipInfo, files: Sequence[zipfile.ZipInfo], seen: set[str]) -> str | None:
    name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        return "is a link or a device, not a file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return "is compressed in another way than deflate"
    if info.filename != name:
        return "has a second name"
    if name.casefold() in seen:
        return "is there twice, but for upper and lower case"
    if info.is_dir():
        inside = any(file.orig_filename.startswith(name) for file in files)
        return None if inside and not info.file_size else "is a folder that no bundle has"
    if unit_of(name) is None:
        return "is a name that no bundle has"
    return None
