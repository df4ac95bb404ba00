"""What this package offers; light to import."""

from __future__ import annotations

from collections.abc import Iterable

from nnplug.hookspecs import hookimpl
from nnplug.types import TrackerSpec
from nnplug_mlflow.options import MlflowOptions


@hookimpl
def nnplug_trackers() -> Iterable[TrackerSpec]:
    """MLflow."""
    return [
        TrackerSpec(
            name="mlflow",
            target="nnplug_mlflow.tracker:MlflowTracker",
            options=MlflowOptions,
            summary="an MLflow server",
        )
    ]
