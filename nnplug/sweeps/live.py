"""What a running job tells about itself in its folder, by the hooks that every plugin has."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

from nnplug.config.sweeping import METRICS, VAL_DICE
from nnplug.hookspecs import hookimpl
from nnplug.runs import EpochReport, RunInfo, RunResult
from nnplug.sweeps.jobs import Job

SUMMARY = Path("validation_raw", "summary.json")  # nnU-Net's


class Live:
    """The plugin of one job."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.figures: dict[str, float] = {}
        self.began = time.time()

    @hookimpl
    def nnplug_before_run(self, run: RunInfo) -> None:
        """Where it is made."""
        self.job.change(run=str(run.folder))

    @hookimpl
    def nnplug_epoch_end(self, run: RunInfo, epoch: EpochReport) -> None:
        """How far it is."""
        self.figures = {"loss": epoch.val_loss, "train_loss": epoch.train_loss}
        known = [value for value in epoch.dice if math.isfinite(value)]
        left = epoch.epochs - epoch.epoch
        live = {
            "epoch": epoch.epoch,
            "epochs": epoch.epochs,
            "loss": epoch.val_loss if math.isfinite(epoch.val_loss) else None,
            "dice": sum(known) / len(known) if known else None,
            "seconds": epoch.seconds,
            "ends": time.time() + left * epoch.seconds,
        }
        self.job.change(live=live)

    @hookimpl
    def nnplug_after_run(self, run: RunInfo, result: RunResult) -> None:
        """What came of it; a training that was complete before has no losses of this process."""
        before = self.job.written().metrics
        found = {**before, **self.figures, **_scores(run)}
        found["seconds"] = float(before.get("seconds", 0.0)) + time.time() - self.began
        if result.mean_dice is not None:
            found[VAL_DICE] = result.mean_dice
        self.job.change(metrics={k: v for k, v in found.items() if math.isfinite(v)})


def _scores(run: RunInfo) -> dict[str, float]:
    """nnU-Net's figures of the validation, a label and the mean over them."""
    path = run.folder / SUMMARY
    if not path.is_file():
        return {}
    mean: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["results"][
        "mean"
    ]
    labels = dict(enumerate(run.labels, start=1))
    found: dict[str, list[float]] = {}
    scores = {}
    for number, label in labels.items():
        for name, value in mean.get(str(number), {}).items():
            metric = name.lower().replace(" ", "_")
            if metric in METRICS and math.isfinite(value):
                scores[f"{metric}.{label}"] = float(value)
                found.setdefault(metric, []).append(float(value))
    return scores | {metric: sum(values) / len(values) for metric, values in found.items()}
