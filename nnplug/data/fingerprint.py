"""What files hold, without reading those again that were not touched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nnplug.data.files import content_hash
from nnplug.errors import SourceError

FileState = list[Any]
"""Path, size in bytes, modification time in ns, hash of the content."""


def listed(paths: Iterable[Path]) -> list[Path]:
    """The files among ``paths`` and below the folders among them, in a fixed order.

    Raises:
        SourceError: one of them is gone.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_file():
            files.append(path)
        elif path.is_dir():
            files += sorted(inner for inner in path.rglob("*") if inner.is_file())
        else:
            raise SourceError("the file is gone", where=str(path))
    return files


def untouched(files: Sequence[Path], known: Sequence[FileState]) -> bool:
    """Whether these are the files that are known, of the same size and time."""
    return [[str(path), *stamp(path)] for path in files] == [state[:3] for state in known]


def states(files: Iterable[Path], known: Sequence[FileState] = ()) -> list[FileState]:
    """The state of each file; hashes of untouched files are taken from ``known``."""
    before = {state[0]: state for state in known}
    found = []
    for path in files:
        now = [str(path), *stamp(path)]
        old = before.get(now[0])
        found.append(old if old and old[:3] == now else [*now, content_hash(path)])
    return found


def stamp(path: Path) -> list[int]:
    """Size in bytes and modification time in ns; empty if there is no such file."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return []
    return [stat.st_size, stat.st_mtime_ns]
