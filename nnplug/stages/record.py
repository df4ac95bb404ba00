"""run.json: what a run was made of and how it went, beside its results."""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import sys
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nnplug.data.files import value_hash
from nnplug.errors import DataError, Interrupted, Pruned
from nnplug.runs import RunInfo
from nnplug.whole import write_json

RUN = "run.json"
FINISHED, FAILED, INTERRUPTED, PRUNED = "finished", "failed", "interrupted", "pruned"
RUNNING = "running"
CUT_OFF = "cut off"
# Two runs that differ in nothing else should give the same.
SHAPELESS = (
    *("paths", "workers", "resume", "sweep", "objective", "tracking", "overlays", "dry_run"),
    "plugins",
)
# What a user may have written with the names of cases and subjects of the source.
NAMES = ("subject", "test")
WITHHELD = "withheld"


class Record:
    """``run.json`` of one run.

    A training that never started (refused, complete already) leaves the record that is there.

    Args:
        folder: the run's.
        facts: plain data to record.
        resumed: go on with the record of an earlier session, if there is one.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any], *, resumed: bool) -> None:
        self.folder = folder
        earlier = _earlier(folder, resumed)
        sessions = [
            {**session, "status": CUT_OFF} if session["status"] == RUNNING else session
            for session in earlier.get("sessions", ())
        ]
        self.session: dict[str, Any] = {
            "command": command(facts["verb"]),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": now(),
            "ended": None,
            "status": RUNNING,
        }
        self.content: dict[str, Any] = {
            "status": RUNNING,
            **facts,
            "problems": list(earlier.get("problems", ())),
            "result": None,
            "sessions": [*sessions, self.session],
        }
        self.started = not (folder / RUN).is_file()
        self._write()

    def start(self, facts: Mapping[str, Any]) -> None:
        """The training begins; ``facts`` were not known before."""
        self.started = True
        self.content |= facts
        self._write()

    def problem(self, owner: str, where: str, text: str) -> None:
        """Keep what went wrong beside the training."""
        self.content["problems"].append({"owner": owner, "where": where, "problem": text})
        self._write()

    def end(self, result: Mapping[str, Any] | None, error: BaseException | None = None) -> None:
        """Write how the run ended."""
        self.content["status"] = self.session["status"] = status_of(error)
        self.content["result"] = None if result is None else plain(result)
        self.session["ended"] = now()
        if error is not None:
            self.session["error"] = str(error) or type(error).__name__
        self._write()

    def _write(self) -> None:
        if self.started:
            write_json(self.folder / RUN, self.content)


def _earlier(folder: Path, resumed: bool) -> dict[str, Any]:
    with contextlib.suppress(DataError):
        return read(folder) if resumed else {}
    return {}


def run_id(folder: Path, resumed: bool) -> str:
    """What tells the run in this folder from others: a new one, or that of the record there."""
    return str(_earlier(folder, resumed).get("run_id") or uuid.uuid4().hex)


def about(run: RunInfo, config: Mapping[str, Any]) -> dict[str, Any]:
    """What ``run.json`` has of the run itself; ``config`` is the whole configuration."""
    return {
        "run_id": run.id,
        "verb": run.verb,
        "name": run.name,
        "labels": list(run.labels),
        "config": dict(run.config),
        "config_hash": config_hash(config),
    }


def read(folder: Path) -> dict[str, Any]:
    """The record in a run's folder.

    Raises:
        DataError: there is none, or it can't be read.
    """
    path = folder / RUN
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"there is no {RUN} that can be read here: {error}",
            where=str(folder),
            hint="give the folder of a fold that was trained with nnplug",
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
        raise DataError(f"{RUN} is not one of nnplug's", where=str(path))
    return content


def status_of(error: BaseException | None) -> str:
    """What a run is called that ended with ``error``."""
    if error is None:
        return FINISHED
    if isinstance(error, Pruned):
        return PRUNED
    return INTERRUPTED if isinstance(error, Interrupted | KeyboardInterrupt) else FAILED


def recorded(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as it is recorded: without Hydra's part and names from the source."""
    kept = {key: value for key, value in config.items() if key != "hydra"}
    dataset = dict(kept.get("dataset") or {})
    for name in NAMES:
        if dataset.get(name) and not isinstance(dataset[name], str):
            dataset[name] = f"{WITHHELD} {value_hash(dataset[name])}"
    return {**kept, "dataset": dataset}


def config_hash(config: Mapping[str, Any]) -> str:
    """One hash for runs that should give the same."""
    kept = {key: value for key, value in config.items() if key not in (*SHAPELESS, "hydra")}
    return value_hash(kept)


def command(verb: str) -> list[str]:
    """The command line, without names from the source."""
    words = [sys.argv[0], verb, *sys.argv[1:]] if sys.argv[0] == "nnplug" else sys.argv
    secret = tuple(f"dataset.{name}=" for name in NAMES)
    return [
        f"{word.partition('=')[0]}={WITHHELD}" if word.lstrip("+~").startswith(secret) else word
        for word in words
    ]


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Figures as JSON has them: null for what is not finite."""
    return {
        key: plain(value)
        if isinstance(value, Mapping)
        else None
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for key, value in values.items()
    }


def now() -> str:
    """The time as it is recorded."""
    return datetime.now(UTC).isoformat(timespec="seconds")
