"""What files hold, without reading those again that were not touched."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nnplug.data.files import content_hash
from nnplug.errors import SourceError

FileState = list[Any]
"""Path, size in bytes, modification time in ns, hash of the content."""


def listed(paths: Iterable[str | Path]) -> list[str]:
    """The files among ``paths`` and below the folders among them, in a fixed order.

    Raises:
        SourceError: one of them is gone.
    """
    files: list[str] = []
    for path in paths:
        if os.path.isfile(path):
            files.append(os.fspath(path))
        elif os.path.isdir(path):
            files += map(str, sorted(p for p in Path(path).rglob("*") if p.is_file()))
        else:
            raise SourceError("the file is gone", where=str(path))
    return files


def untouched(files: Sequence[str], known: Sequence[FileState]) -> bool:
    """Whether these are the files that are known, of the same size and time."""
    return [[file, *stamp(file)] for file in files] == [state[:3] for state in known]


def states(files: Iterable[str], known: Sequence[FileState] = ()) -> list[FileState]:
    """The state of each file; hashes of untouched files are taken from ``known``."""
    before = {state[0]: state for state in known}
    found = []
    for file in files:
        now = [file, *stamp(file)]
        old = before.get(file)
        found.append(old if old and old[:3] == now else [*now, content_hash(file)])
    return found


def stamp(path: str | Path) -> list[int]:
    """Size in bytes and modification time in ns; empty if there is no such file."""
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return []
    return [stat.st_size, stat.st_mtime_ns]
