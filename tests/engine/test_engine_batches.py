"""Batches that a trainer makes itself are seeded by their number as nnU-Net's are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from nnplug.engine.batches import seed_batches


def drawn() -> Iterator[tuple[float, float, float]]:
    """Batches without nnU-Net's workers, from all three sources of chance."""
    while True:
        yield random.random(), float(np.random.rand()), float(torch.rand(1))


def trainer(epoch: int) -> Any:
    made = SimpleNamespace(tr_gen=drawn(), val_gen=drawn(), epoch=epoch, also_val_in_tr_mode=False)
    return SimpleNamespace(**vars(made), num_batches_per_epoch=3, num_val_batches_per_epoch=2)


def taken(epoch: int, seed: int = 1) -> tuple[list[Any], list[Any]]:
    made = trainer(epoch)
    seed_batches(made, seed)
    return [next(made.tr_gen) for _ in range(6)], [next(made.val_gen) for _ in range(4)]


def test_a_training_that_goes_on_gets_the_batches_that_it_would_have_got() -> None:
    training, validation = taken(0)
    later, later_validation = taken(1)
    assert later[:3] == training[3:]
    assert later_validation[:2] == validation[2:]


def test_no_batch_comes_twice() -> None:
    training, validation = taken(0)
    assert len({*training, *validation, *taken(0, seed=2)[0]}) == 16
