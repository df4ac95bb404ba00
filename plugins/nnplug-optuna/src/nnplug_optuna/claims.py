"""Which trials somebody works on: each is a locked file, free when its worker is gone."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout


class Claims:
    """The trials of this worker.

    Args:
        folder: of the lock files; the same for all workers on a study.

    Attributes:
        alone: to be held by who looks for trials or makes one.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.alone = FileLock(folder / "all.lock")
        self._held: dict[int, FileLock] = {}

    def take(self, trial: int) -> bool:
        """Whether it is this worker's from now on."""
        lock = FileLock(self.folder / f"{trial}.lock", is_singleton=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        self._held[trial] = lock
        return True

    def leave(self, trial: int) -> None:
        """Somebody else may have it, or it is finished."""
        self._held.pop(trial).release()
