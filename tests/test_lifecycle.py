"""Hooks around a run: who may stop it, who may not, and what run.json says of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nnplug.catalog import Catalog
from nnplug.errors import Interrupted, PluginError, Pruned, TrainingError
from nnplug.plugins import Host
from nnplug.runs import EpochReport, RunInfo, RunResult
from nnplug.stages import record
from nnplug.stages.lifecycle import lived

RESULT = RunResult(2, {"core": 0.5, "shell": float("nan")}, 0.5)
HOOKS = """
from nnplug.errors import Pruned
from nnplug.hookspecs import hookimpl
CALLS = []

@hookimpl
def nnplug_before_run(run):
    CALLS.append(("before", run.verb))
    {before}

@hookimpl
def nnplug_epoch_end(run, epoch):
    CALLS.append(("epoch", epoch.epoch))
    {epoch}

@hookimpl
def nnplug_after_run(run, result):
    CALLS.append(("after", result.mean_dice))
    {after}

@hookimpl
def nnplug_on_error(run, error):
    CALLS.append(("error", str(error)))
    {error}
"""


class FakeEntry(EntryPoint):
    @property
    def dist(self) -> Any:  # type: ignore[override]
        return SimpleNamespace(name=f"dist-of-{self.name}", version="1.2")


class Hooked:
    """Plugins whose hooks do what a test says, and a run to try them on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[EntryPoint] = []

    def add(self, name: str, marks: str = "", **what: str) -> None:
        bodies = dict.fromkeys(("before", "epoch", "after", "error"), "pass") | what
        code = HOOKS.replace("@hookimpl", f"@hookimpl({marks})")
        for hook, body in bodies.items():
            code = code.replace(f"{{{hook}}}", body)
        (self.folder / f"{name}_hooks.py").write_text(code)
        self.entries.append(FakeEntry(name, f"{name}_hooks", "nnplug"))

    def calls(self, name: str) -> list[tuple[str, Any]]:
        calls: list[tuple[str, Any]] = sys.modules[f"{name}_hooks"].CALLS  # type: ignore[attr-defined]
        return calls

    def live(
        self,
        epochs: int = 2,
        error: BaseException | None = None,
        *,
        resumed: bool = False,
        start: bool = True,
        **facts: Any,
    ) -> None:
        folder = self.folder / "run"
        run = RunInfo(
            record.run_id(folder, resumed), "train", "x/y", folder, {}, ("core", "shell"), resumed
        )
        about = {**record.about(run, {}), "trackers": [], **facts}
        with lived(run, about, Catalog.build(Host.load(self.entries))) as life:
            if start:
                life.start({"split": "hash"})
            for epoch in range(1, epochs + 1):
                life.epoch(EpochReport(epoch, 2, 0.5, 0.4, [0.5, 0.6], 0.01, 1.0))
            if error is not None:
                raise error
            life.result = RESULT

    @property
    def record(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "run" / "run.json").read_text())
        return content


@pytest.fixture
def hooked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooked]:
    monkeypatch.syspath_prepend(tmp_path)
    made = Hooked(tmp_path)
    yield made
    for entry in made.entries:
        sys.modules.pop(entry.module, None)


def test_hooks_are_called_in_the_order_of_a_run(hooked: Hooked) -> None:
    hooked.add("watcher")
    hooked.live()
    assert hooked.calls("watcher") == [
        *(("before", "train"), ("epoch", 1), ("epoch", 2), ("after", 0.5)),
    ]
    assert hooked.record["status"] == "finished"
    assert hooked.record["result"]["dice"] == {"core": 0.5, "shell": None}


def test_tryfirst_and_trylast_move_a_plugin_around_a_run(hooked: Hooked) -> None:
    order = hooked.folder / "order"
    for name, marks in {"a": "trylast=True", "b": "", "c": "tryfirst=True"}.items():
        told = f"with open({str(order)!r}, 'a') as file: file.write({name!r})"
        hooked.add(name, marks, **dict.fromkeys(("before", "epoch", "after", "error"), told))
    hooked.live(1)
    assert order.read_text() == "cba" * 3
    with pytest.raises(TrainingError):
        hooked.live(1, TrainingError("the loss became NaN"))
    assert order.read_text() == "cba" * 6


def test_a_broken_before_run_aborts_in_its_owners_name(hooked: Hooked) -> None:
    hooked.add("broken", before="raise OSError('no licence left')")
    hooked.add("watcher")
    with pytest.raises(PluginError, match="no licence left") as raised:
        hooked.live()
    assert "broken (dist-of-broken 1.2)" in str(raised.value)
    assert ("error", str(raised.value)) in hooked.calls("watcher")
    assert hooked.record["status"] == "failed"


@pytest.mark.parametrize("hook", ["epoch", "after"])
@pytest.mark.parametrize("body", ["raise KeyError('x')", "raise SystemExit(1)"])
def test_other_broken_hooks_are_told_once_and_change_nothing(
    hooked: Hooked, capsys: pytest.CaptureFixture[str], hook: str, body: str
) -> None:
    hooked.add("broken", **{hook: body})
    hooked.add("watcher")
    hooked.live()
    (problem,) = hooked.record["problems"]
    assert problem["owner"] == "plugin broken (dist-of-broken 1.2)"
    assert capsys.readouterr().err.count("plugin broken (dist-of-broken 1.2)") == 1
    assert problem["where"].removeprefix("nnplug_").startswith(hook)
    assert hooked.record["status"] == "finished"
    assert [name for name, _ in hooked.calls("watcher")] == ["before", "epoch", "epoch", "after"]
    assert [name for name, _ in hooked.calls("broken")] == ["before", "epoch", "epoch", "after"]


def test_pruned_ends_the_run_and_its_name_is_kept(hooked: Hooked) -> None:
    hooked.add("a_pruner", epoch="raise Pruned('worse than half of the others')")
    hooked.add("watcher")
    with pytest.raises(Pruned, match="worse than half"):
        hooked.live()
    assert hooked.record["status"] == "pruned"
    assert hooked.calls("watcher")[1:] == [("epoch", 1), ("error", "worse than half of the others")]


def test_on_error_never_hides_the_first_error(hooked: Hooked) -> None:
    hooked.add("broken", error="raise RuntimeError('me too')")
    hooked.add("watcher")
    with pytest.raises(TrainingError, match="NaN"):
        hooked.live(error=TrainingError("the loss became NaN"))
    assert hooked.calls("watcher")[-1] == ("error", "the loss became NaN")
    assert hooked.record["status"] == "failed"
    assert hooked.record["sessions"][0]["error"] == "the loss became NaN"
    assert "me too" in hooked.record["problems"][0]["problem"]


def test_a_resumed_run_keeps_its_id_and_lists_its_sessions(hooked: Hooked) -> None:
    with pytest.raises(Interrupted):
        hooked.live(1, Interrupted("Ctrl-C"))
    first = hooked.record
    hooked.live(resumed=True)
    second = hooked.record
    assert first["run_id"] == second["run_id"]
    assert [session["status"] for session in second["sessions"]] == ["interrupted", "finished"]
    assert second["sessions"][0]["ended"]

    second["sessions"][1]["status"] = "running"  # as a killed process leaves it
    (hooked.folder / "run" / "run.json").write_text(json.dumps(second))
    hooked.live(resumed=True)
    assert [s["status"] for s in hooked.record["sessions"]] == [
        *("interrupted", "cut off", "finished"),
    ]


def test_a_run_that_does_not_start_leaves_the_record_of_the_one_before(hooked: Hooked) -> None:
    hooked.live(config_hash="before")
    before = hooked.record
    with pytest.raises(TrainingError):
        hooked.live(0, TrainingError("trained before"), start=False, config_hash="after")
    assert hooked.record == before


def test_names_from_the_source_are_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = {"subject": {"scan_1": "Miller^Anna"}, "test": ["scan_1"], "name": "Liver"}
    words = ["nnplug", "dataset.test=[scan_1]", "+dataset.subject={scan_1: Miller^Anna}", "fold=1"]
    monkeypatch.setattr(sys, "argv", words)
    kept = json.dumps([record.recorded({"dataset": dataset, "hydra": {}}), record.command("train")])
    assert "Miller" not in kept
    assert "scan_1" not in kept
    assert record.command("train")[:2] == ["nnplug", "train"]
    assert "fold=1" in kept
    pattern = {"dataset": {"subject": "(.*)_[0-9]"}}
    assert record.recorded(pattern)["dataset"]["subject"] == "(.*)_[0-9]"


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"workers": 3}, True),
        ({"paths": {"root": "elsewhere"}}, True),
        ({"sweep": {"dir": "sweeps/2026-01-02_03-04-05"}, "objective": "loss"}, True),
        ({"seed": 2}, False),
    ],
)
def test_the_hash_is_of_what_shapes_the_result(change: dict[str, Any], same: bool) -> None:
    config = {"seed": 1, "workers": 1, "paths": {"root": "here"}}
    equal = record.config_hash(config) == record.config_hash({**config, **change})
    assert equal is same
