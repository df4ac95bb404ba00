"""Follow a training epoch by epoch: report, look for signals, save, stop on NaN."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.config import resources
from nnplug.engine import checkpoints, environment, groups, memory, states
from nnplug.engine.batches import in_this_process, seed_batches, watch_batches
from nnplug.engine.interrupts import Watch
from nnplug.engine.patches import FixedPatch
from nnplug.errors import Pruned, TrainingError
from nnplug.runs import EpochReport

if TYPE_CHECKING:
    from nnplug.engine.job import TrainJob

WAITING = 0.2
SECONDS = 5.0


class Follower:
    """Stands in for the methods of one trainer that nnU-Net's training loop calls."""

    def __init__(
        self,
        trainer: Any,
        job: TrainJob,
        stop: Watch,
        report: Callable[[EpochReport], None],
        note: Callable[[str], None],
        state: Mapping[str, Any] | None,
    ) -> None:
        self.trainer = trainer
        self.stop = stop
        self.note = note
        self.batches = watch_batches(trainer, stop)
        self.report = report
        self.limit = 60 * job.checkpoint_minutes
        self.dice: list[float] = []
        self.nan_cases: list[str] = []
        self.start: states.Snapshot | None = None
        self.state = state
        # A cascade's last network wants the stage before as further channels.
        every = job.patch_every if job.network != "3d_cascade_fullres" else None
        self.patch = FixedPatch(every) if every is not None else None
        self.steps = 0
        self.loading = self.stepping = 0.0
        self.began = self.saved = time.monotonic()
        self.first, self.told = True, False
        self.run_iteration = trainer.run_iteration
        self.finish_online_evaluation = trainer.finish_online_evaluation
        self.on_epoch_end = trainer.on_epoch_end

    def note_saved(self, path: Path) -> None:
        if path.stem == checkpoints.LATEST:
            self.saved = time.monotonic()

    def iterate(self, batches: Any, *args: Any, **kwargs: Any) -> Any:
        self.stop.check_together()
        if self.start is None:
            if self.state is not None:
                states.restore_state(self.trainer, self.state)
                self.state = None
            self.start = states.Snapshot.of(self.trainer)
        began, waited = time.monotonic(), self._waited()
        loss = self.run_iteration(batches, *args, **kwargs)
        self.steps += 1
        self.stepping += time.monotonic() - began
        self.loading += self._waited() - waited
        if not self.nan_cases and not np.isfinite(loss).all():
            self.nan_cases = getattr(batches, "cases", [])
        return loss

    def _waited(self) -> float:
        return sum(batches.seconds for batches in self.batches)

    def save_interrupted(self) -> None:
        """Go back to the end of the last epoch and save that, unless nothing was done yet."""
        if self.start is not None:
            self.start.restore(self.trainer)
        if self.start is not None or not self.first:
            checkpoints.save_interrupted(self.trainer)

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
        self.nan_cases = []
        self.start = None
        go_on = self.on_epoch_end(*args, **kwargs)
        latest = Path(trainer.output_folder, f"{checkpoints.LATEST}.model")
        if time.monotonic() - self.saved >= self.limit:
            trainer.save_checkpoint(str(latest))
        dice = self.dice or [float(value) for value in trainer.all_val_eval_metrics[-1:]]
        done = int(trainer.epoch) + 1
        patch = self.patch.now(done, trainer) if self.patch is not None else None
        now = time.monotonic()
        report = EpochReport(
            done,
            trainer.max_num_epochs,
            *losses,
            dice,
            rate,
            now - self.began,
            self.steps,
            self.loading,
            self.stepping - self.loading,
            memory.peak(),
            memory.gpu_peak(),
            patch,
        )
        self.began = now
        self.steps = 0
        self.loading = self.stepping = 0.0
        self._note_waiting(report)
        try:
            self.report(report)
        except Pruned:
            trainer.save_checkpoint(str(latest))
            raise
        return go_on

    def _note_waiting(self, report: EpochReport) -> None:
        """Say once that loading limits the training; the first epoch also starts the workers."""
        first, self.first = self.first, False
        worth = report.seconds_loading > max(WAITING * report.seconds, SECONDS)
        if first or self.told or not worth or not hasattr(self.batches[0], "num_processes"):
            return
        self.told = True
        workers, cores = self.batches[0].num_processes, resources.cores()
        advice = (
            f"{cores} cores are there: try workers={cores}"
            if workers < cores
            else f"all {cores} cores are in use: more cores, a faster disk or less augmentation "
            "would help"
        )
        self.note(
            f"loading limits the training: {report.seconds_loading:.0f} of {report.seconds:.0f} s "
            f"of epoch {report.epoch} were spent waiting for batches from {workers} worker(s); "
            f"{advice}"
        )

    def _check_losses(self, train: float, val: float) -> None:
        # In mixed precision a step whose loss is NaN is skipped, and the weights stay sound.
        if math.isnan(train) and (math.isnan(val) or not self.trainer.fp16):
            epoch = int(self.trainer.epoch) + 1
            there = checkpoints.existing(Path(self.trainer.output_folder))
            kept = f"{there[0].name} is from before it" if there else "no checkpoint yet"
            raise TrainingError(
                f"the loss became NaN in epoch {epoch}, first with {', '.join(self.nan_cases)}; "
                f"{kept}",
                where=self.trainer.output_folder,
                hint="lower the learning rate, or check these images for extreme values",
            )


def follow(
    trainer: Any,
    job: TrainJob,
    stop: Watch,
    report: Callable[[EpochReport], None],
    note: Callable[[str], None],
    *,
    made_of: Mapping[str, Any],
    extended: int,
    state: Mapping[str, Any] | None,
    pretrained: object | None = None,
) -> Follower:
    """Wrap the methods of this one instance that the training loop calls.

    Args:
        trainer: the instance, with the weights to start from.
        job: what to train.
        stop: looked at before every batch.
        report: called after every epoch.
        note: called with what should be said.
        made_of: from ``identity.identity``, for the record.
        extended: epochs beyond those planned, for the record.
        state: from the checkpoint's record, restored before the first batch.
        pretrained: what was taken from another model, for the record.
    """
    if job.seed is not None:
        seed_batches(trainer, job.seed)
    if environment.serial():
        in_this_process(trainer)
    follower = Follower(trainer, job, stop, report, note, state)
    params = trainer.data_aug_params
    record = checkpoints.plain(
        {
            **job.record,
            "identity": made_of,
            "settings": made_of["settings"],
            "extend": extended,
            "options": job.options,
            "pretrained": pretrained,
            "mirror": {name: params.get(name) for name in ("do_mirror", "mirror_axes")},
        }
    )
    if groups.current.first:
        checkpoints.guard(
            trainer, lambda: {**record, "state": states.state_of(trainer)}, follower.note_saved
        )
    trainer.run_iteration = follower.iterate
    trainer.finish_online_evaluation = follower.evaluate
    trainer.on_epoch_end = follower.end_epoch
    return follower
