"""Train on a device that nnU-Net v1 doesn't know: move network and batches there."""

from __future__ import annotations

from typing import Any


class _Moving:
    """Batches of ``generator`` with their tensors on ``device``; else the generator itself."""

    def __init__(self, generator: Any, device: Any) -> None:
        self._generator = generator
        self._device = device

    def __next__(self) -> Any:
        batch = next(self._generator)
        return {key: to_device(value, self._device) for key, value in batch.items()}

    next = __next__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)


def move(trainer: Any, device: Any) -> None:
    """Put the network of an initialised trainer, and its batches to come, on ``device``."""
    trainer.network.to(device)
    trainer.tr_gen = _Moving(trainer.tr_gen, device)
    trainer.val_gen = _Moving(trainer.val_gen, device)
    evaluate = trainer.run_online_evaluation
    # nnU-Net counts on "the CUDA device of that number", which only the CPU survives.
    trainer.run_online_evaluation = lambda *tensors: evaluate(*to_device(tensors, "cpu"))


def to_device(value: Any, device: Any) -> Any:
    """Tensors on ``device``, also those in lists and tuples; anything else as it is."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, list | tuple):
        return type(value)(to_device(item, device) for item in value)
    return value
