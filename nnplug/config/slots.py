"""A pool of devices that processes share: each is locked while somebody works on it.

The locks are files, so they hold across processes and sweep engines on one machine, and the
system frees them when a process dies, however it dies.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_PATIENCE = 0.2


def gpu_folder() -> Path:
    """Where this user's processes on this machine keep the locks of its GPUs."""
    user = os.getuid() if hasattr(os, "getuid") else os.getlogin()
    return Path(tempfile.gettempdir(), f"nnplug-{user}", "gpus")


def device_name(gpu: int) -> str:
    """What the machine calls the GPU that this process numbers so; the same for all processes."""
    visible = os.environ.get(_VISIBLE, "").split(",")
    return visible[gpu].strip() if gpu < len(visible) and visible[gpu] else str(gpu)


class Slots:
    """GPUs of which several processes take some at a time.

    Args:
        gpus: as this process numbers them.
        folder: of the lock files; the same for everybody who shares the GPUs.
    """

    def __init__(self, gpus: Sequence[int], folder: Path | None = None) -> None:
        self.gpus = tuple(gpus)
        self.folder = folder or gpu_folder()

    @contextlib.contextmanager
    def take(
        self, count: int = 1, waiting: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[int, ...]]:
        """Hold ``count`` of the GPUs, the first free ones; waits until there are as many.

        Args:
            count: how many.
            waiting: called now and then meanwhile; what it raises ends the wait.

        Raises:
            ValueError: the pool has fewer.
        """
        if not 0 < count <= len(self.gpus):
            raise ValueError(f"{count} of {len(self.gpus)} GPUs")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.ExitStack() as held:
            while len(found := self._try(count, held)) < count:
                waiting()
                time.sleep(_PATIENCE)
            yield found

    def _try(self, count: int, held: contextlib.ExitStack) -> tuple[int, ...]:
        """Lock as many as are wanted or none, so that two who wait can't block each other."""
        found: list[int] = []
        with contextlib.ExitStack() as trying:
            for gpu in self.gpus:
                if len(found) == count:
                    break
                lock = FileLock(self.folder / f"{device_name(gpu)}.lock", is_singleton=False)
                with contextlib.suppress(Timeout):
                    trying.enter_context(lock.acquire(timeout=0))
                    found.append(gpu)
            if len(found) < count:
                return ()
            held.push(trying.pop_all())
        return tuple(found)
