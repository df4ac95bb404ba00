"""One writer at a time; whoever comes second waits and says so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from nnplug.console import say
from nnplug.whole import storage_errors

LOCK = ".nnplug.lock"


@contextlib.contextmanager
def locked(
    folder: Path, reason: str, name: str = LOCK, *, what: str = "", wait: bool = True
) -> Iterator[bool]:
    """Hold the lock ``name`` in a folder; ``reason`` completes "FOLDER ... by another process".

    Yields True; without ``wait``, False where another process holds it. ``what`` is said instead
    of the folder's name. The operating system lets go of the lock of a process that was killed.

    Raises:
        StorageError: nothing can be written there.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / name)
        try:
            lock.acquire(timeout=1 if wait else 0)
        except Timeout:
            if wait:
                say(f"{what or folder.name} {reason} by another process; waiting for it")
                lock.acquire()
    try:
        yield lock.is_locked
    finally:
        lock.release()
