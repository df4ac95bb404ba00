"""What nnU-Net's checkpoints leave out: random states, running means, and an epoch's start."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

AVERAGES = ("train_loss_MA", "val_eval_criterion_MA")


def state_of(trainer: Any) -> dict[str, Any]:
    """Random states and running means, as plain data and arrays."""
    import torch

    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state().numpy(),
        "cuda": [state.numpy() for state in torch.cuda.get_rng_state_all()]
        if torch.cuda.is_available()
        else [],
        "averages": {name: getattr(trainer, name) for name in AVERAGES},
    }


def restore_state(trainer: Any, state: Mapping[str, Any]) -> None:
    """Undo :func:`state_of`; another number of GPUs than then keeps its own random states."""
    import torch

    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(torch.from_numpy(state["torch"].copy()))
    cuda = [torch.from_numpy(one.copy()) for one in state["cuda"]]
    if torch.cuda.is_available() and len(cuda) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(cuda)
    for name, value in state["averages"].items():
        setattr(trainer, name, value)


@dataclass(frozen=True)
class Snapshot:
    """A trainer at the start of an epoch, in main memory."""

    network: dict[str, Any]
    optimizer: dict[str, Any]
    scaler: dict[str, Any] | None
    state: dict[str, Any]

    @classmethod
    def of(cls, trainer: Any) -> Snapshot:
        scaler = trainer.amp_grad_scaler
        return cls(
            _copied(trainer.network.state_dict()),
            _copied(trainer.optimizer.state_dict()),
            None if scaler is None else dict(scaler.state_dict()),
            state_of(trainer),
        )

    def restore(self, trainer: Any) -> None:
        """Bring the trainer back to it."""
        trainer.network.load_state_dict(self.network)
        trainer.optimizer.load_state_dict(self.optimizer)
        if self.scaler is not None:
            trainer.amp_grad_scaler.load_state_dict(self.scaler)
        restore_state(trainer, self.state)


def _copied(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return copy.copy(value)
