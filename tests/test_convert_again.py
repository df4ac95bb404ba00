"""A second conversion redoes what changed, and only that; an interrupted one is taken up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from nnplug.catalog import Catalog
from nnplug.config.settings import DataSettings
from nnplug.stages import convert

Cohort = Callable[..., Path]
Make = Callable[..., DataSettings]
PATIENCE = 60.0


def state(task: Path) -> dict[str, int]:
    """Modification times of the image and label files."""
    return {
        path.name: path.stat().st_mtime_ns
        for folder in ("imagesTr", "labelsTr", "imagesTs")
        for path in (task / folder).iterdir()
    }


def test_an_unchanged_source_is_not_converted_again(
    cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path
) -> None:
    source = cohort("p1", "p2")
    convert.run(settings(source), core_catalog)
    before, text = state(toy_task), (toy_task / "dataset.json").read_text()
    result = convert.run(settings(source), core_catalog)
    assert (result.converted, result.unchanged) == (0, 2)
    assert state(toy_task) == before
    assert (toy_task / "dataset.json").read_text() == text


def test_untouched_files_are_not_read_again_and_no_worker_starts(
    cohort: Cohort, settings: Make, core_catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = cohort("p1", "p2")
    convert.run(settings(source), core_catalog)

    def refuse(*_: object) -> None:
        raise AssertionError("read, or started a worker")

    for name in ("nnplug.data.fingerprint.content_hash", "nnplug.stages.workers._Worker"):
        monkeypatch.setattr(name, refuse)
    assert convert.run(settings(source), core_catalog).unchanged == 2


def test_a_file_that_was_only_touched_is_not_converted_again(
    cohort: Cohort, settings: Make, core_catalog: Catalog
) -> None:
    source = cohort("p1")
    convert.run(settings(source), core_catalog)
    os.utime(source / "images" / "p1.nii.gz", (1, 1))
    assert convert.run(settings(source), core_catalog).unchanged == 1


def test_a_changed_label_redoes_its_case_alone(
    cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path, save: Any
) -> None:
    source = cohort("p1", "p2")
    convert.run(settings(source), core_catalog)
    before = state(toy_task)
    save(source / "labels" / "p2.nii.gz", np.ones((6, 8, 10), np.uint8))
    result = convert.run(settings(source), core_catalog)
    assert (result.converted, result.unchanged) == (1, 1)
    redone = {name for name, when in state(toy_task).items() if before[name] != when}
    assert redone == {"Toy_001_0000.nii.gz", "Toy_001.nii.gz"}


def test_a_damaged_result_is_made_again(
    cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path
) -> None:
    source = cohort("p1", "p2")
    convert.run(settings(source), core_catalog)
    damaged = toy_task / "imagesTr" / "Toy_000_0000.nii.gz"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-9])
    (toy_task / "labelsTr" / "Toy_001.nii.gz").unlink()
    convert.run(settings(source), core_catalog)
    assert damaged.read_bytes() == whole
    assert (toy_task / "labelsTr" / "Toy_001.nii.gz").is_file()


def test_changed_options_redo_the_cases(
    cohort: Cohort, settings: Make, core_catalog: Catalog
) -> None:
    source = cohort("p1")
    convert.run(settings(source), core_catalog)
    more = {"background": 0, "shell": 1, "core": 2, "rim": 3}
    assert convert.run(settings(source, labels=more), core_catalog).converted == 1


def test_a_removed_case_disappears(
    cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path
) -> None:
    source = cohort("p1", "p2", "p3")
    convert.run(settings(source), core_catalog)
    for folder in ("images", "labels"):
        (source / folder / "p2.nii.gz").unlink()
    convert.run(settings(source), core_catalog)
    assert sorted(state(toy_task)) == [
        "Toy_000.nii.gz",
        "Toy_000_0000.nii.gz",
        "Toy_001.nii.gz",
        "Toy_001_0000.nii.gz",
    ]
    assert "Toy_001,p3,p3,train" in (toy_task / "case_map.csv").read_text()


# --- processes that are killed, or meet ----------------------------------------------------

PLUGIN = """
from nnplug.hookspecs import hookimpl
from nnplug.types import ConverterSpec

@hookimpl
def nnplug_converters():
    return [ConverterSpec("gated", "gated_target:Converter")]
"""
TARGET = """
import os, time
from pathlib import Path
from nnplug.formats.nifti import NiftiConverter

HERE = Path(__file__).parent

class Converter(NiftiConverter):
    def read(self, case):
        if case.name == "p3" and not (HERE / "open").exists():
            (HERE / "waiting").write_text(str(os.getpid()))
            end = time.monotonic() + 60
            while not (HERE / "open").exists() and time.monotonic() < end:
                time.sleep(0.02)
        return super().read(case)
"""


@dataclass
class Gate:
    """Conversions by the command line whose third case waits for ``open()``."""

    folder: Path
    arguments: list[str]
    started: list[subprocess.Popen[str]]

    def start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        process = subprocess.Popen(
            [sys.executable, "-m", "nnplug", *self.arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
        )
        self.started.append(process)
        return process

    def open(self) -> None:
        (self.folder / "open").touch()

    def worker(self) -> int:
        """The process that reads the third case, once it is there."""
        waiting = self.folder / "waiting"
        until(lambda: waiting.exists() and waiting.read_text() != "")
        return int(waiting.read_text())


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Ended; perhaps nobody has collected it yet."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def gate(tmp_path: Path, cohort: Cohort) -> Iterator[Gate]:
    folder = tmp_path / "site"
    record = folder / "gated-1.0.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: gated\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[nnplug]\ngated = gated_plugin\n")
    (folder / "gated_plugin.py").write_text(PLUGIN)
    (folder / "gated_target.py").write_text(TARGET)
    arguments = [
        "convert",
        "converter=gated",
        f"dataset.source={cohort('p1', 'p2', 'p3', 'p4')}",
        "dataset.name=Toy",
        "dataset.task_id=301",
        "dataset.channels={0:CT}",
        "dataset.labels={background:0,shell:1,core:2}",
        f"paths.root={tmp_path / 'root'}",
        "workers=1",
    ]
    made = Gate(folder, arguments, [])
    yield made
    made.open()
    for process in made.started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_conversion_that_was_stopped_is_taken_up(
    gate: Gate, toy_task: Path, number: signal.Signals
) -> None:
    first = gate.start()
    worker = gate.worker()
    manifest = toy_task / "nnplug_manifest.jsonl"
    until(lambda: manifest.read_text().count("\n") == 2)
    first.send_signal(number)
    if number != signal.SIGKILL:
        time.sleep(0.2)
        gate.open()
    printed, _ = first.communicate(timeout=PATIENCE)
    assert first.returncode == (-9 if number == signal.SIGKILL else 130)
    assert "Traceback" not in printed
    until(lambda: is_gone(worker))
    assert not (toy_task / "dataset.json").exists()
    before = state(toy_task)

    gate.open()
    second = gate.start()
    printed, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, printed
    assert "2 converted, 2 unchanged" in printed
    after = state(toy_task)
    finished = [name for name in before if name.startswith(("Toy_000", "Toy_001"))]
    assert len(finished) == 4
    assert [after[name] for name in finished] == [before[name] for name in finished]
    assert len(after) == 8
    assert (toy_task / "dataset.json").exists()


def test_two_conversions_at_once_both_end_well(gate: Gate, toy_task: Path) -> None:
    first = gate.start()
    gate.worker()
    second = gate.start()
    assert second.stdout is not None
    lines: list[str] = []
    while "waiting for it" not in "".join(lines):
        lines.append(second.stdout.readline())
        assert lines[-1], lines
    gate.open()
    printed = [process.communicate(timeout=PATIENCE)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), printed
    assert "4 converted, 0 unchanged" in printed[0]
    assert "0 converted, 4 unchanged" in printed[1]
    assert len(state(toy_task)) == 8
    assert (toy_task / "dataset.json").exists()


def test_two_new_tasks_never_share_an_id(gate: Gate, toy_task: Path, tmp_path: Path) -> None:
    first = gate.start()
    gate.worker()
    other = [word.replace("name=Toy", "name=Other") for word in gate.arguments]
    second = Gate(gate.folder, other, gate.started).start()
    printed, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 2, printed
    assert "another task has this id: Task301_Toy" in printed
    assert not toy_task.with_name("Task301_Other").exists()
    gate.open()
    assert first.communicate(timeout=PATIENCE)
    assert first.returncode == 0


def test_an_id_is_taken_by_one_process_at_a_time(
    cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path
) -> None:
    """Another process makes its folder after our first look and before ours is made."""
    raw = toy_task.parent
    raw.mkdir(parents=True)
    made = []
    with FileLock(raw / ".Task301.lock"):
        thread = threading.Thread(
            target=lambda: made.append(_error_of(settings(cohort("p1")), core_catalog))
        )
        thread.start()
        until(lambda: bool(list(raw.parent.rglob("*.lock"))))
        time.sleep(0.5)
        (raw / "Task301_Other").mkdir()
    thread.join(PATIENCE)
    assert "another task has this id: Task301_Other" in str(made[0])
    assert not toy_task.exists()


def _error_of(chosen: DataSettings, catalog: Catalog) -> Exception | None:
    try:
        convert.run(chosen, catalog)
    except Exception as error:
        return error
    return None
