"""Files that appear whole or not at all, and what the disk refuses."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nnplug.errors import StorageError


@contextlib.contextmanager
def replacing(path: Path, suffix: str = ".partial") -> Iterator[Path]:
    """A path beside ``path`` to write to; renamed to ``path`` when the block ends well.

    Args:
        path: of the file; its folder is made if need be.
        suffix: of the path to write to, for writers that choose the format by it.

    Raises:
        StorageError: nothing can be written there (full disk, no permission).
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=suffix)
        os.close(handle)
    partial = Path(name)
    try:
        with storage_errors(path):
            yield partial
            partial.chmod(0o666 & ~_umask())
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals into an error that names ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                "the disk is full", where=str(path), hint="free some space and run this again"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError(
                "there is no permission to write here",
                where=str(path),
                hint="choose another folder, e.g. with paths.root=DIR",
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise StorageError(
                "a file is in the way of a folder",
                where=str(error.filename or path),
                hint="remove that file, or choose another folder, e.g. with paths.root=DIR",
            ) from error
        raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text``, whole."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
