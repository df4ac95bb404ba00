"""What the scripts of these tests share; each runs in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nnplug.config.folders import Folders
from nnplug.engine import environment
from nnplug.engine.job import TrainJob

TASK = "Task901_Tiny"
PLANS = "nnUNetPlans_tiny"


def folders() -> Folders:
    """The folders that the test chose for this process."""
    root = Path(os.environ["ENGINE_ROOT"])
    results = Path(os.environ.get("ENGINE_RESULTS", root / "results"))
    return Folders(root / "raw", root / "preprocessed", results)


def enter() -> tuple[Folders, environment.Device]:
    """Enter nnU-Net's world on the CPU."""
    chosen = folders()
    return chosen, environment.enter(chosen, device="cpu", gpus=None, workers=1)


def job(**changes: Any) -> TrainJob:
    """A training of 2 epochs of 2 batches."""
    settings = {
        "max_num_epochs": changes.pop("epochs", 2),
        "num_batches_per_epoch": changes.pop("batches", 2),
        "num_val_batches_per_epoch": 1,
        "initial_lr": changes.pop("lr", None),
    }
    values: dict[str, Any] = {
        "task": TASK,
        "network": "3d_fullres",
        "fold": 0,
        "trainer": "nnUNetTrainerV2",
        "plans_identifier": PLANS,
        "settings": settings,
        **changes,
    }
    return TrainJob(**values)
