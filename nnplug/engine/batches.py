"""Batches: seeded by their number, so that a training can go on midway, and watched."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from nnplug.engine import board, groups
from nnplug.engine.interrupts import Watch


class SeededBatches:
    """A data loader whose every batch, and its augmentation, has a seed of its own.

    Worker ``w`` of ``n`` makes the batches ``first + w``, ``first + w + n``, ... and their
    queues are read in turn, so the sequence is the same for any number of workers.
    """

    def __init__(self, loader: Any, seed: tuple[int, int], first: int, workers: int) -> None:
        self.loader = loader
        self.seed = seed
        self.index = first
        self.workers = workers

    def set_thread_id(self, number: int) -> None:
        """Called by batchgenerators in each worker process."""
        self.index += number
        self.loader.set_thread_id(number)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        import torch

        word = int(np.random.SeedSequence([*self.seed, self.index]).generate_state(1)[0])
        np.random.seed(word)
        random.seed(word)
        torch.manual_seed(word)
        self.index += self.workers
        return next(self.loader)


def seed_batches(trainer: Any, seed: int) -> None:
    """Number the batches from the trainer's epoch on; before its workers start.

    nnU-Net drops one batch of each kind when a training starts or goes on, so the epoch's own
    batches follow the one that is dropped. Batches that a trainer makes without nnU-Net's workers
    are numbered as they come.
    """
    rounds = 2 if trainer.also_val_in_tr_mode else 1
    streams = (
        ("tr_gen", trainer.num_batches_per_epoch),
        ("val_gen", trainer.num_val_batches_per_epoch * rounds),
    )
    first = len(streams) * groups.current.rank
    for stream, (name, an_epoch) in enumerate(streams, first):
        generator = getattr(trainer, name)
        number, done = (seed, stream), int(trainer.epoch) * an_epoch
        if hasattr(generator, "num_processes"):
            workers = generator.num_processes
            generator.generator = SeededBatches(generator.generator, number, done, workers)
        else:
            setattr(trainer, name, SeededBatches(generator, number, done, 1))


class Watched:
    """Passes batches on, and knows what the last one was made of and how long they took.

    Attributes:
        cases: of the last batch.
        seconds: spent waiting for batches, in all.
    """

    def __init__(self, batches: Any, watch: Watch, what: str) -> None:
        self.batches = batches
        self.cases: list[str] = []
        self.seconds = 0.0
        self._watch = watch
        self._what = what

    def __getattr__(self, name: str) -> Any:
        return getattr(self.batches, name)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        began = time.monotonic()
        with self._watch.waiting_for(self._what):
            batch = next(self.batches)
        self.seconds += time.monotonic() - began
        self.cases = sorted({str(case) for case in batch.get("keys", ())})
        return batch

    next = __next__


def watch_batches(trainer: Any, watch: Watch) -> list[Watched]:
    """Watch the trainer's batches, and let its loaders note the cases that they read."""
    for name in ("dl_tr", "dl_val"):
        loader: Any = getattr(trainer, name, None)
        if isinstance(getattr(loader, "_data", None), dict):
            loader._data = board.NotedCases(loader._data, int(trainer.batch_size))
    for generator in (trainer.tr_gen, trainer.val_gen):
        watch.workers.follow(generator)
    trainer.tr_gen = Watched(trainer.tr_gen, watch, "a training batch")
    trainer.val_gen = Watched(trainer.val_gen, watch, "a validation batch")
    return [trainer.tr_gen, trainer.val_gen]


def in_this_process(trainer: Any) -> None:
    """Load batches here instead of in nnU-Net's worker processes, which are not started yet."""
    from batchgenerators.dataloading.single_threaded_augmenter import SingleThreadedAugmenter

    for name in ("tr_gen", "val_gen"):
        generator = getattr(trainer, name)
        if hasattr(generator, "_finish"):
            alone = SingleThreadedAugmenter(generator.generator, generator.transform)
            setattr(trainer, name, alone)
