"""Follow a training epoch by epoch: report, look for signals, save, stop on NaN."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.engine import checkpoints
from nnplug.engine.construction import seed_workers
from nnplug.engine.interrupts import Watch
from nnplug.errors import TrainingError

if TYPE_CHECKING:
    from nnplug.engine.training import TrainJob


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch.

    Attributes:
        epoch: how many are finished, from 1.
        epochs: how many there will be.
        train_loss: mean over the training batches.
        val_loss: mean over the validation batches.
        dice: nnU-Net's estimate per foreground label, in order; NaN where the batches had
            none of a label. One number (the mean) from trainers that keep no counts.
        lr: the learning rate of this epoch.
        seconds: how long it took.
    """

    epoch: int
    epochs: int
    train_loss: float
    val_loss: float
    dice: list[float]
    lr: float
    seconds: float


class _Follower:
    def __init__(
        self, trainer: Any, job: TrainJob, stop: Watch, report: Callable[[EpochReport], None]
    ) -> None:
        self.trainer = trainer
        self.stop = stop
        self.report = report
        self.limit = 60 * job.checkpoint_minutes
        self.dice: list[float] = []
        self.began = self.saved = time.monotonic()
        self.run_iteration = trainer.run_iteration
        self.finish_online_evaluation = trainer.finish_online_evaluation
        self.on_epoch_end = trainer.on_epoch_end

    def note_saved(self, path: Path) -> None:
        if path.stem == checkpoints.LATEST:
            self.saved = time.monotonic()

    def iterate(self, *args: Any, **kwargs: Any) -> Any:
        self.stop.check()
        return self.run_iteration(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        counts = [
            np.atleast_1d(np.sum(getattr(self.trainer, f"online_eval_{name}", []), 0))
            for name in ("tp", "fp", "fn")
        ]
        with np.errstate(invalid="ignore", divide="ignore"):
            dice = 2 * counts[0] / (2 * counts[0] + counts[1] + counts[2])
        self.dice = [float(value) for value in dice]
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.finish_online_evaluation(*args, **kwargs)

    def end_epoch(self, *args: Any, **kwargs: Any) -> Any:
        trainer = self.trainer
        losses = (float(trainer.all_tr_losses[-1]), float(trainer.all_val_losses[-1]))
        self._check_losses(*losses)
        rate = float(trainer.optimizer.param_groups[0]["lr"])
        self.dice = []
        go_on = self.on_epoch_end(*args, **kwargs)
        latest = Path(trainer.output_folder, f"{checkpoints.LATEST}.model")
        if time.monotonic() - self.saved >= self.limit:
            trainer.save_checkpoint(str(latest))
        now = time.monotonic()
        dice = self.dice or [float(value) for value in trainer.all_val_eval_metrics[-1:]]
        done = int(trainer.epoch) + 1
        self.report(
            EpochReport(done, trainer.max_num_epochs, *losses, dice, rate, now - self.began)
        )
        self.began = now
        return go_on

    def _check_losses(self, train: float, val: float) -> None:
        # In mixed precision a step whose loss is NaN is skipped, and the weights stay sound.
        if math.isnan(train) and (math.isnan(val) or not self.trainer.fp16):
            epoch = int(self.trainer.epoch) + 1
            raise TrainingError(
                f"the loss became NaN in epoch {epoch}; the checkpoints before it are kept",
                where=self.trainer.output_folder,
                hint="lower the learning rate, or check the images for extreme values",
            )


def follow(trainer: Any, job: TrainJob, stop: Watch, report: Callable[[EpochReport], None]) -> None:
    """Wrap the methods of this one instance that the training loop calls."""
    follower = _Follower(trainer, job, stop, report)
    params = trainer.data_aug_params
    mirror = {"do_mirror": params.get("do_mirror"), "mirror_axes": params.get("mirror_axes")}
    settings = {name: getattr(trainer, name) for name in job.settings}
    settings["max_num_epochs"] = trainer.max_num_epochs
    record = {
        **job.record,
        "settings": settings,
        "options": None if job.options is None else job.options,
        "mirror": mirror,
    }
    checkpoints.guard(trainer, checkpoints.plain(record), follower.note_saved)
    trainer.run_iteration = follower.iterate
    trainer.finish_online_evaluation = follower.evaluate
    trainer.on_epoch_end = follower.end_epoch
    if job.seed is not None:
        seed_workers(trainer, job.seed)
