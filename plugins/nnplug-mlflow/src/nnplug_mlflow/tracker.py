"""One MLflow run for each of nnplug's."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nnplug.runs import RunInfo
from nnplug_mlflow.options import MlflowOptions

# Nothing goes anywhere but to the server; a request that fails is repeated by nnplug.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

RUN_TAG, LABELLED_TAG = "nnplug_run", "nnplug_parameters"
STATUS = {"finished": "FINISHED", "failed": "FAILED"}
LONGEST_PARAMETER = 6000
MOST_AT_ONCE = 100
UNFIT = re.compile(r"[^\w\-./ ]")


class MlflowTracker:
    """Metrics by epoch, pictures as artifacts, the configuration as parameters."""

    def __init__(self, options: MlflowOptions) -> None:
        self.options = options
        self.client: Any = MlflowClient(tracking_uri=options.uri)
        self.run = ""

    def open(self, run: RunInfo) -> None:
        experiment = self._experiment()
        known = self.client.search_runs([experiment], f"tags.{RUN_TAG} = '{run.id}'")
        if known:
            (self.run, tags) = known[0].info.run_id, known[0].data.tags
            self.client.update_run(self.run, status="RUNNING")
        else:
            tags = {RUN_TAG: run.id, "mlflow.runName": run.name}
            self.run = self.client.create_run(experiment, tags=tags).info.run_id
        if LABELLED_TAG not in tags:
            parameters = [
                Param(UNFIT.sub("_", name), str(value)[:LONGEST_PARAMETER])
                for name, value in run.parameters.items()
            ]
            for some in _parts(parameters):
                self.client.log_batch(self.run, params=some)
            self.client.log_batch(self.run, tags=[RunTag(LABELLED_TAG, "complete")])

    def log(
        self, epoch: int, time: float, values: Mapping[str, float], pictures: Mapping[str, Path]
    ) -> None:
        for path in pictures.values():
            self.client.log_artifact(self.run, str(path), "pictures")
        self._metrics(values, round(1000 * time), epoch)

    def close(self, status: str, values: Mapping[str, float]) -> None:
        self._metrics(values, round(1000 * time.time()), 0)
        self.client.set_terminated(self.run, STATUS.get(status, "KILLED"))

    def _experiment(self) -> str:
        found = self.client.get_experiment_by_name(self.options.experiment)
        if found is not None:
            return str(found.experiment_id)
        return str(self.client.create_experiment(self.options.experiment))

    def _metrics(self, values: Mapping[str, float], milliseconds: int, step: int) -> None:
        metrics = [
            Metric(UNFIT.sub("_", name), value, milliseconds, step)
            for name, value in values.items()
        ]
        for some in _parts(metrics):
            self.client.log_batch(self.run, metrics=some)


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), MOST_AT_ONCE):
        yield items[start : start + MOST_AT_ONCE]
