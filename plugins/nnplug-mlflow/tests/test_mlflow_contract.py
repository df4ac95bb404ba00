"""The contract suite of nnplug.testing, for this plugin."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from nnplug.runs import RunInfo
from nnplug.testing import PluginContract, TrackerContract


class TestPlugin(PluginContract):
    plugin = "nnplug_mlflow.plugin"


@pytest.mark.slow
class TestTracker(TrackerContract):
    """With MLflow's data base in a file instead of a server's."""

    plugin = "nnplug_mlflow.plugin"
    tracker = "mlflow"
    away: Mapping[str, str] = {"uri": "http://127.0.0.1:9"}

    def options(self, folder: Path) -> Mapping[str, Any]:
        return {"uri": f"sqlite:///{folder}/mlflow.db"}

    def history(self, run: RunInfo, figure: str) -> Mapping[int, float]:
        """The table of metrics, as MLflow keeps it: the newest of an epoch counts."""
        query = "select step, value from metrics where key = ? order by timestamp"
        with closing(sqlite3.connect(run.folder.parent / "mlflow.db")) as base:
            return dict(base.execute(query, (figure,)).fetchall())
