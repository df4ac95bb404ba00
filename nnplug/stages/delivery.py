"""What a tracker has been told about a run, and telling it the rest.

The run's own ``run.json`` and ``progress.jsonl`` are what is told, so nothing is queued or
kept twice: beside them lies only how far each tracker has come.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog, load
from nnplug.config.load import choice_options
from nnplug.config.settings import Choice
from nnplug.runs import RunInfo, Tracker, flat
from nnplug.stages import progress, record
from nnplug.whole import write_json

FOLDER = "tracking"
# Where data lies, and what it is called there, is nobody else's business.
PRIVATE = ("paths", "tracking")
PRIVATE_DATASET = ("source", "pseudonym_key", "subject", "test", "images", "label")


class Delivery:
    """One tracker and one run.

    Args:
        folder: the run's.
        name: of the tracker.
        tracker: to be told.
    """

    def __init__(self, folder: Path, name: str, tracker: Tracker) -> None:
        self.folder = folder
        self.name = name
        self.tracker = tracker
        self.opened = False
        self.seen: list[int] = []

    def catch_up(self) -> int:
        """Tell everything that is new; returns how many epochs that were.

        Raises:
            Exception: whatever the tracker raises; what it took before that stays told.
        """
        stamp = [self._stamp(name) for name in (record.RUN, progress.JSONL)]
        if stamp == self.seen:
            return 0
        about = record.read(self.folder)
        state = self._state(about["run_id"])
        rows = [row for row in progress.read(self.folder) if _place(row) > state["told"]]
        sessions = len(about["sessions"])
        ended = about["status"] != record.RUNNING and state["closed"] != sessions
        if (rows or ended) and not self.opened:
            self.tracker.open(_info(self.folder, about))
            self.opened = True
        for row in rows:
            pictures = {name: self.folder / path for name, path in row["pictures"].items()}
            there = {name: path for name, path in pictures.items() if path.is_file()}
            self.tracker.log(row["epoch"], row["time"], progress.figures(row), there)
            state["told"] = _place(row)
            self._keep(state)
        if ended:
            self.tracker.close(about["status"], _figures(about["result"] or {}))
            state["closed"] = sessions
            self._keep(state)
        self.seen = stamp
        return len(rows)

    @property
    def path(self) -> Path:
        return self.folder / FOLDER / f"{self.name}.json"

    def _state(self, run: str) -> dict[str, Any]:
        fresh = {"run_id": run, "told": [0, 0], "closed": 0}
        try:
            state: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return fresh
        return state if state["run_id"] == run else fresh

    def _keep(self, state: Mapping[str, Any]) -> None:
        write_json(self.path, state)

    def _stamp(self, name: str) -> int:
        path = self.folder / name
        return path.stat().st_mtime_ns if path.is_file() else 0


def deliveries(folder: Path, catalog: Catalog) -> list[Delivery]:
    """One for each tracker in the run's configuration.

    Raises:
        DataError: there is no run.
        ConfigError: an option that a tracker doesn't know.
        PluginError: a tracker that is not there, or can't be imported.
    """
    found = []
    for listed in record.read(folder).get("trackers", ()):
        entry = catalog.trackers.get(listed["name"])
        options = choice_options(Choice(**listed), catalog.trackers, "tracking")
        tracker: Tracker = load(entry.spec, entry.owner)(options)
        found.append(Delivery(folder, entry.spec.name, tracker))
    return found


def _place(row: Mapping[str, Any]) -> list[int]:
    return [row["session"], row["epoch"]]


def _info(folder: Path, about: Mapping[str, Any]) -> RunInfo:
    config = {key: value for key, value in about["config"].items() if key not in PRIVATE}
    dataset = config.get("dataset") or {}
    config["dataset"] = {k: value for k, value in dataset.items() if k not in PRIVATE_DATASET}
    return RunInfo(
        id=about["run_id"],
        verb=about["verb"],
        name=about["name"],
        folder=folder,
        config=config,
        labels=tuple(about["labels"]),
        resumed=len(about["sessions"]) > 1,
    )


def _figures(result: Mapping[str, Any]) -> dict[str, float]:
    return {
        f"validation.{name}": float(value)
        for name, value in flat(result).items()
        if isinstance(value, int | float)
    }
