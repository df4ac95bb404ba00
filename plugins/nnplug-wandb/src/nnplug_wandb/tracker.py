"""One W&B run for each of nnplug's, with the same id."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnplug.runs import RunInfo
from nnplug_wandb.options import WandbOptions

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

import wandb

# Figures and pictures only: no code, no git, no host, no console output.
QUIET = {
    "silent": True,
    "console": "off",
    "save_code": False,
    "disable_code": True,
    "disable_git": True,
    "disable_job_creation": True,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "host": "withheld",
}


class WandbTracker:
    """Figures by epoch, pictures, the configuration."""

    def __init__(self, options: WandbOptions) -> None:
        self.options = options
        self.info: RunInfo | None = None
        self.run: Any = None

    def open(self, run: RunInfo) -> None:
        self.info = run
        self._begin(run)

    def log(
        self, epoch: int, time: float, values: Mapping[str, float], pictures: Mapping[str, Path]
    ) -> None:
        images = {name: wandb.Image(str(path)) for name, path in pictures.items()}
        self._current().log({"epoch": epoch, "time": time, **values, **images})

    def close(self, status: str, values: Mapping[str, float]) -> None:
        run = self._current()
        run.summary.update({"status": status, **values})
        run.finish(exit_code=0 if status == "finished" else 1)
        self.run = None

    def _current(self) -> Any:
        if self.run is None:  # closed, and the training was resumed
            assert self.info is not None
            self._begin(self.info)
        return self.run

    def _begin(self, run: RunInfo) -> None:
        self.run = wandb.init(
            id=run.id,
            name=run.name,
            project=self.options.project,
            entity=self.options.entity,
            mode=self.options.mode,
            dir=str(run.folder),
            config=dict(run.config),
            resume="allow" if self.options.mode == "online" else None,
            settings=wandb.Settings(**QUIET),
        )
        self.run.define_metric("*", step_metric="epoch")
