"""One writer at a time; whoever comes second waits and says so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from nnplug.console import say
from nnplug.data.files import storage_errors

LOCK = ".nnplug.lock"


@contextlib.contextmanager
def locked(folder: Path, reason: str, name: str = LOCK) -> Iterator[None]:
    """Hold the lock ``name`` in a folder; ``reason`` completes "FOLDER ... by another process".

    Raises:
        StorageError: nothing can be written there.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / name)
        try:
            lock.acquire(timeout=1)
        except Timeout:
            say(f"{folder.name} {reason} by another process; waiting for it")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
