"""What this package offers to nnplug."""

from __future__ import annotations

from collections.abc import Iterable

from nnplug.hookspecs import hookimpl
from nnplug.types import TrainerSpec
from nnplug_trainers.options import QuickOptions


@hookimpl
def nnplug_trainers() -> Iterable[TrainerSpec]:
    """The quick recipe."""
    return [
        TrainerSpec(
            name="quick",
            target="nnplug_trainers.quick:nnUNetTrainerV2_Quick",
            options=QuickOptions,
            defaults={
                "epochs": 12,
                "batches_per_epoch": 200,
                "val_batches_per_epoch": 10,
                "initial_lr": 5e-3,
                "batch_size": 2,
                "base_num_features": 16,
            },
            summary="a strong baseline on a CPU in ten minutes",
        )
    ]
