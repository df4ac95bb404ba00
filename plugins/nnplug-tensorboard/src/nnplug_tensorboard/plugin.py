"""What this package offers."""

from __future__ import annotations

from collections.abc import Iterable

from nnplug.hookspecs import hookimpl
from nnplug.types import TrackerSpec
from nnplug_tensorboard.options import TensorboardOptions


@hookimpl
def nnplug_trackers() -> Iterable[TrackerSpec]:
    """TensorBoard's event files."""
    return [
        TrackerSpec(
            name="tensorboard",
            target="nnplug_tensorboard.tracker:TensorboardTracker",
            options=TensorboardOptions,
            summary="event files for TensorBoard",
        )
    ]
