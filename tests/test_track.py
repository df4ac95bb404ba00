"""The process beside a training: it outlives signals, and nobody waits for a tracker that hangs."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from nnplug.runs import EpochReport, RunInfo
from nnplug.stages import record, track
from nnplug.stages.progress import Progress

PLUGIN = """
import json, time
from pathlib import Path
from nnplug.hookspecs import hookimpl
from nnplug.types import TrackerSpec

@hookimpl
def nnplug_trackers():
    return [TrackerSpec(name, f"told_plugin:{name.title()}") for name in ("file", "stuck")]

class File:
    def __init__(self, options): pass
    def open(self, run): self.path = run.folder / "told.txt"
    def log(self, epoch, time, values, pictures): self._add(f"epoch {epoch}")
    def close(self, status, values): self._add(status)
    def _add(self, text):
        with self.path.open("a") as stream:
            stream.write(text + "\\n")

class Stuck(File):
    def log(self, epoch, when, values, pictures): time.sleep(1000)
"""
SECONDS = 60


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin with two trackers, for this process's children."""
    packages = tmp_path / "packages"
    about = packages / "told-1.0.dist-info"
    about.mkdir(parents=True)
    (packages / "told_plugin.py").write_text(PLUGIN)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: told\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[nnplug]\ntold = told_plugin\n")
    monkeypatch.setenv("PYTHONPATH", str(packages))


class Training:
    """Writes what a training writes."""

    def __init__(self, folder: Path, tracker: str) -> None:
        self.folder = folder
        run = RunInfo("7", "train", "a/b", folder, {}, ("core",), False)
        facts = {**record.about(run, {}), "trackers": [{"name": tracker, "options": {}}]}
        self.record = record.Record(folder, facts, resumed=False)
        self.record.start({})
        self.progress = Progress(folder, ("core",), 1)
        self.beside = track.Beside(folder)

    def epoch(self, number: int) -> None:
        self.progress.add(EpochReport(number, 4, 0.5, 0.4, [0.5], 0.01, 1.0), {})

    def told(self) -> list[str]:
        path = self.folder / "told.txt"
        return path.read_text().splitlines() if path.is_file() else []

    def wait_until_told(self, line: str) -> None:
        limit = time.monotonic() + SECONDS
        while line not in self.told():
            assert time.monotonic() < limit, (self.folder / "tracking" / "log.txt").read_text()
            time.sleep(0.05)


@pytest.mark.usefixtures("plugin")
def test_it_tells_while_the_training_runs_and_its_end(tmp_path: Path) -> None:
    training = Training(tmp_path / "run", "file")
    training.epoch(1)
    training.wait_until_told("epoch 1")
    for number in track.SIGNALS:  # as a terminal or Slurm sends them to everybody
        os.kill(training.beside.process.pid, number)
    training.epoch(2)
    training.record.end({"mean_dice": 0.5})
    training.beside.finish()
    assert training.told() == ["epoch 1", "epoch 2", "finished"]
    assert training.beside.process.returncode == 0


@pytest.mark.usefixtures("plugin")
def test_it_ends_with_a_training_that_was_killed(tmp_path: Path) -> None:
    training = Training(tmp_path / "run", "file")
    training.epoch(1)
    assert training.beside.process.stdin is not None
    training.beside.process.stdin.close()  # as the system does
    assert training.beside.process.wait(SECONDS) == 0
    assert training.told() == ["epoch 1"]


@pytest.mark.usefixtures("plugin")
def test_nobody_waits_for_a_tracker_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(track, "LAST_SECONDS", 1.0)
    training = Training(tmp_path / "run", "stuck")
    began = time.monotonic()
    training.epoch(1)
    assert time.monotonic() - began < 1
    training.record.end({"mean_dice": 0.5})
    training.beside.finish()
    assert training.beside.process.returncode == -signal.SIGKILL
    assert f"nnplug track {training.folder}" in capfd.readouterr().err
    assert json.loads((training.folder / "run.json").read_text())["status"] == "finished"
