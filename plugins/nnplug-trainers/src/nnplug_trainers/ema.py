"""Exponential moving average of a network's weights, and the state that resuming needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """Average of the weights over the last `1 / (1 - decay)` steps or so.

    After step t (from 0) the average is `d * average + (1 - d) * weights` with
    `d = min(decay, t / (t + 9))`, so it starts as the weights themselves and its memory
    grows with the training. With `decay` 0 it is a copy of the weights.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = network
        self.decay = decay
        self.average = self.current()

    def _weights(self) -> list[Tensor]:
        return [p.detach() for p in self.network.parameters()]

    def current(self) -> list[Tensor]:
        """Copies of the network's present weights, in the order of `parameters()`."""
        return [w.clone() for w in self._weights()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after optimizer step number `step`, counted from 0."""
        torch._foreach_lerp_(self.average, self._weights(), 1 - min(self.decay, step / (step + 9)))

    @torch.no_grad()
    def load(self) -> None:
        """Start anew from the network's present weights."""
        self.average = self.current()

    @torch.no_grad()
    def put(self, weights: list[Tensor]) -> None:
        """Write `weights` (one tensor per parameter) into the network."""
        for mine, new in zip(self._weights(), weights, strict=True):
            mine.copy_(new)

    @contextmanager
    def applied(self) -> Iterator[list[Tensor]]:
        """The network holds the average within; yields the weights that come back after."""
        raw = self.current()
        self.put(self.average)
        try:
            yield raw
        finally:
            self.put(raw)


class RunState:
    """What a run must remember beyond weights and optimizer.

    It sits where nnU-Net keeps a learning-rate scheduler, so that nnU-Net's own checkpoints
    carry it, under `lr_scheduler_state_dict`: the optimizer steps done, the options the
    network was trained with, and the weights of the last step, while the checkpoint's
    `state_dict` holds their average. Tensors, numbers and containers only.
    """

    def __init__(self, average: WeightAverage, options: dict[str, Any]) -> None:
        self.average = average
        self.options = options
        self.step = 0
        self.raw: list[Tensor] | None = None

    def state_dict(self) -> dict[str, Any]:
        """`raw_weights` are in the order of `network.parameters()`."""
        raw = self.average.current() if self.raw is None else self.raw
        return {
            "step": self.step,
            "options": dict(self.options),
            "raw_weights": [w.cpu() for w in raw],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Called with the average in the network; leaves the last step's weights there."""
        self.step = int(state["step"])
        self.average.load()
        self.average.put(state["raw_weights"])
