"""The contract suite of nnplug.testing, for this plugin."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nnplug.runs import RunInfo
from nnplug.testing import PluginContract, TrackerContract


class TestPlugin(PluginContract):
    plugin = "nnplug_tensorboard.plugin"


class TestTracker(TrackerContract):
    plugin = "nnplug_tensorboard.plugin"
    tracker = "tensorboard"
    away: Mapping[str, str] = {"folder": "/dev/null/nowhere"}

    def history(self, run: RunInfo, figure: str) -> Mapping[int, float]:
        """TensorBoard's own reader."""
        found = EventAccumulator(str(run.folder / "tensorboard"))
        found.Reload()
        return {event.step: event.value for event in found.Scalars(figure)}
