"""nnU-Net's arrays as .npy files, which it maps into memory: once, whole, by whoever is first.

Stock nnU-Net unpacks at the start of every training and takes a file that is there for a whole
one; two trainings that start together could then read halves of each other's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from filelock import FileLock

from nnplug.whole import replacing

LOCK = ".unpack.lock"


def unpack(folder: Path, cases: Sequence[str], workers: int) -> None:
    """Write ``CASE.npy`` (channels and label, z, y, x) beside ``CASE.npz`` where it is missing.

    Raises:
        StorageError: nothing can be written there.
    """
    with FileLock(folder / LOCK), ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda case: _unpack(folder / f"{case}.npy"), cases))


def _unpack(path: Path) -> None:
    if path.is_file():
        with contextlib.suppress(ValueError, EOFError, OSError):
            np.load(path, mmap_mode="r", allow_pickle=False)
            return
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
        values = arrays["data"]
    with replacing(path, ".partial.npy") as partial:
        np.save(partial, values)
