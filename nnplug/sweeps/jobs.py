"""A job of a sweep: a folder named by what is run, and how the run stands.

``config.json`` says what is run, ``state.json`` how it stands, ``log.txt`` what it printed.
Whoever runs the job holds ``.lock`` and touches ``beat`` as long as it lives.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from nnplug.config.folders import VARIABLES
from nnplug.data.files import value_hash
from nnplug.errors import DataError
from nnplug.whole import write_json

CONFIG, STATE, LOG, LOCK, BEAT = "config.json", "state.json", "log.txt", ".lock", "beat"
WAITING, RUNNING, DONE = "waiting", "running", "done"
FAILED, PRUNED, INTERRUPTED, CUT_OFF = "failed", "pruned", "interrupted", "cut off"
FINAL = (DONE, PRUNED)
# What another result does not come from: where, how fast and in how many pieces it is computed.
SHAPELESS = (
    *("hydra", "paths", "workers", "device", "resume", "sweep", "objective", "experiment"),
    *("tracking", "overlays", "parallel"),
)
NAME_LENGTH = 12
BEAT_SECONDS = 5.0
STALE_SECONDS = 60.0


@dataclass(frozen=True)
class State:
    """How a job stands.

    Attributes:
        status: ``waiting``, ``running``, ``done``, ``failed``, ``pruned``, ``interrupted`` (asked
            to stop) or ``cut off`` (killed).
        attempts: how often it was started.
        host, pid, born: where it runs or ran; ``born`` tells a process from a later one of the
            same number.
        started, ended: seconds since 1970.
        error: why it did not end well.
        run: the folder of what it makes.
        live: the last epoch's figures.
        metrics: results by name.
    """

    status: str = WAITING
    attempts: int = 0
    host: str | None = None
    pid: int | None = None
    born: float | None = None
    started: float | None = None
    ended: float | None = None
    error: str | None = None
    run: str | None = None
    live: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One job, by its folder."""

    folder: Path

    @classmethod
    def prepare(
        cls,
        sweep: Path,
        verb: str,
        config: Mapping[str, Any],
        overrides: Sequence[str],
        more: Mapping[str, Any],
    ) -> Job:
        """The job's folder below that of the sweep; what it says of an earlier run stays.

        Args:
            sweep: the folder of the whole sweep.
            verb: what is run.
            config: resolved.
            overrides: from which it was composed.
            more: what else whoever runs it has to know.

        Raises:
            StorageError: nothing can be written there.
        """
        job = cls(sweep / job_name(verb, config))
        write_json(
            job.folder / CONFIG,
            {"verb": verb, "overrides": list(overrides), **more, "config": dict(config)},
        )
        return job

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.name

    def content(self) -> dict[str, Any]:
        """``config.json``.

        Raises:
            DataError: it is not there, or damaged.
        """
        return _read(self.folder / CONFIG)

    def written(self) -> State:
        """How the job stands by its own account; that of a killed one is out of date."""
        if not (self.folder / STATE).is_file():
            return State()
        known = State.__dataclass_fields__
        content = _read(self.folder / STATE)
        return State(**{key: value for key, value in content.items() if key in known})

    def state(self) -> State:
        """How the job stands."""
        state = self.written()
        if state.status == RUNNING and not self._alive(state):
            state = self.written()  # it may have ended meanwhile
            if state.status == RUNNING:
                return _changed(state, status=CUT_OFF, error=state.error or "it was killed")
        return state

    def write(self, state: State) -> None:
        """Record how it stands."""
        write_json(self.folder / STATE, vars(state))

    def change(self, **changes: Any) -> State:
        """Record what has changed."""
        state = _changed(self.written(), **changes)
        self.write(state)
        return state

    def lost(self, why: str) -> None:
        """Record the end of a job that could not do so itself."""
        if self.written().status in (WAITING, RUNNING):
            self.change(status=CUT_OFF, ended=time.time(), error=why)

    def _alive(self, state: State) -> bool:
        if state.host == socket.gethostname() and state.pid is not None:
            return born(state.pid) == state.born
        try:
            return time.time() - (self.folder / BEAT).stat().st_mtime < STALE_SECONDS
        except OSError:
            return False


def surroundings(slots: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a job has to know of the command that it belongs to, and what it takes first."""
    return {
        "made": time.time(),
        "cwd": str(Path.cwd()),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "slots": slots,
    }


def of(sweep: Path) -> list[Job]:
    """The jobs of a sweep, in the order in which they were first made.

    Raises:
        DataError: there is none.
    """
    found = sorted(sweep.glob(f"*/{CONFIG}"), key=lambda path: (_made(path.parent), path))
    if not found:
        raise DataError(
            "there is no job of a sweep here", where=str(sweep), hint="give sweep.dir's folder"
        )
    return [Job(path.parent) for path in found]


def job_name(verb: str, config: Mapping[str, Any]) -> str:
    """A hash of everything that a job's results come from."""
    kept = {key: value for key, value in config.items() if key not in SHAPELESS}
    if isinstance(trainer := kept.get("trainer"), Mapping):
        kept["trainer"] = {key: value for key, value in trainer.items() if key != "gpus"}
    if isinstance(dataset := kept.get("dataset"), Mapping) and dataset.get("source"):
        kept["dataset"] = {**dataset, "source": os.path.realpath(str(dataset["source"]))}
    return value_hash({"verb": verb, **kept})[:NAME_LENGTH]


def born(pid: int) -> float | None:
    """When the process began, in seconds since 1970; None if there is none."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def _changed(state: State, **changes: Any) -> State:
    return State(**{**vars(state), **changes})


def _made(folder: Path) -> float:
    return float(_read(folder / CONFIG).get("made", 0.0))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"it can't be read: {error}", where=str(path)) from error
    if not isinstance(content, dict):
        raise DataError("it is not one of nnplug's", where=str(path))
    return content
