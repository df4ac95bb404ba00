"""Preprocessed arrays next to their compressed files, as nnU-Net reads them in training."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from nnplug.whole import replacing


def unpack(folder: Path, workers: int) -> None:
    """Write a whole ``.npy`` beside each ``.npz`` that has none, as nnU-Net does, but renamed.

    nnU-Net writes them in place, so that another training may read half of one.

    Args:
        folder: the preprocessed cases of a stage.
        workers: threads.
    """
    packed = [path for path in sorted(folder.glob("*.npz")) if not is_whole(_unpacked(path))]
    with ThreadPoolExecutor(max(1, workers)) as pool:
        list(pool.map(_unpack, packed))


def is_whole(path: Path) -> bool:
    """Whether there is an array in the file, with every byte that its header promises."""
    try:
        np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError):
        return False
    return True


def _unpacked(path: Path) -> Path:
    return path.with_suffix(".npy")


def _unpack(path: Path) -> None:
    with np.load(path, allow_pickle=False) as content, replacing(_unpacked(path), ".npy") as beside:
        np.save(beside, content["data"])
