"""What this package offers; light to import."""

from __future__ import annotations

from collections.abc import Iterable

from nnplug.hookspecs import hookimpl
from nnplug.types import TrackerSpec
from nnplug_wandb.options import WandbOptions


@hookimpl
def nnplug_trackers() -> Iterable[TrackerSpec]:
    """Weights & Biases."""
    return [
        TrackerSpec(
            name="wandb",
            target="nnplug_wandb.tracker:WandbTracker",
            options=WandbOptions,
            summary="Weights & Biases, offline by default",
        )
    ]
