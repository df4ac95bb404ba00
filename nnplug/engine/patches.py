"""One patch of a validation case, and what the network makes of it as it learns."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnplug.runs import Patch

_LOG = logging.getLogger(__name__)


class FixedPatch:
    """A patch in the middle of the foreground of the first validation case.

    Args:
        every: how many epochs lie between two predictions.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.channels: NDArray[np.float32] | None = None

    def _load(self, trainer: Any) -> NDArray[np.float32]:
        case = trainer.dataset_val[sorted(trainer.dataset_val)[0]]
        size = tuple(int(edge) for edge in trainer.patch_size)
        values = _cut(_voxels(Path(case["data_file"])), size)
        self.reference = np.maximum(values[-1], 0).astype(np.uint8)
        spacing = trainer.plans["plans_per_stage"][trainer.stage]["current_spacing"]
        self.spacing = (float(spacing[0]), float(spacing[-2]), float(spacing[-1]))
        return values[:-1].astype(np.float32)

    def now(self, epoch: int, trainer: Any) -> Patch | None:
        """What the network makes of it; None if it isn't due, or (with a warning) impossible."""
        if epoch % self.every:
            return None
        try:
            return self._now(trainer)
        except Exception as error:
            _LOG.warning("no picture of a validation patch: %s: %s", type(error).__name__, error)
            return None

    def _now(self, trainer: Any) -> Patch:
        if self.channels is None:
            self.channels = self._load(trainer)
        image = self.channels[0]
        prediction = _predict(trainer, self.channels)
        if image.ndim == 2:
            image, reference, prediction = image[None], self.reference[None], prediction[None]
        else:
            reference = self.reference
        return Patch(image, reference, prediction, self.spacing)


def _voxels(path: Path) -> NDArray[Any]:
    """A preprocessed case: channels and label, z, y, x; unpacked where nnU-Net did so."""
    unpacked = path.with_suffix(".npy")
    if unpacked.is_file():
        return np.load(unpacked, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    with np.load(path, allow_pickle=False) as content:
        return content["data"]  # type: ignore[no-any-return]


def _cut(values: NDArray[Any], size: tuple[int, ...]) -> NDArray[Any]:
    """That many voxels around the middle of the foreground, padded; one slice for two axes."""
    inside = np.argwhere(values[-1] > 0)
    middle = inside.mean(axis=0) if len(inside) else np.array(values.shape[1:]) / 2
    if len(size) == 2:
        values, middle = values[:, int(middle[0])], middle[1:]
    for axis, edge in enumerate(size, start=1):
        there = values.shape[axis]
        low = int(np.clip(round(float(middle[axis - 1])) - edge // 2, 0, max(there - edge, 0)))
        values = values.take(range(low, min(low + edge, there)), axis=axis)
    missing = [edge - there for edge, there in zip(size, values.shape[1:], strict=True)]
    return np.pad(values, [(0, 0), *((lack // 2, lack - lack // 2) for lack in missing)])


def _predict(trainer: Any, channels: NDArray[np.float32]) -> NDArray[np.uint8]:
    import torch

    network = trainer.network
    inner = getattr(network, "module", network)
    training, deep = network.training, inner.do_ds
    device = next(network.parameters()).device
    network.eval()
    inner.do_ds = False
    try:
        with torch.no_grad():
            scores = network(torch.from_numpy(channels[None]).to(device))
        return scores[0].argmax(0).cpu().numpy().astype(np.uint8)  # type: ignore[no-any-return]
    finally:
        inner.do_ds = deep
        network.train(training)
