"""The verb ``nap`` of the tests: it sleeps, adds up how often it was started, and may misbehave."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog
from nnplug.errors import TrainingError
from nnplug.runs import EpochReport, RunInfo, RunResult


def main(config: Mapping[str, Any], catalog: Catalog) -> None:
    """Sleep in ten epochs; ``does`` says what happens in the middle of the first start."""
    number, root = config["number"], Path(config["paths"]["root"])
    folder = root / f"nap_{number}"
    does = config["does"]
    if does == "by_number":
        does = (root / f"does_{number}").read_text()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "starts").open("a") as stream:
        stream.write(f"{os.getpid()} {sorted(os.sched_getaffinity(0))}\n")
    starts = len((folder / "starts").read_text().splitlines())
    run = RunInfo(str(number), "nap", folder.name, folder, config, ("core",), False)
    _tell(catalog, "nnplug_before_run", run=run)
    reached = folder / "reached"
    first = int(reached.read_text()) if reached.is_file() else 0
    for epoch in range(first + 1, 11):
        time.sleep(config["seconds"] / 10)
        if epoch == 5 and starts == 1:
            _misbehave(does, folder)
        reached.write_text(str(epoch))
        dice = epoch / 10 / (1 + number)
        report = EpochReport(epoch, 10, 1.0 / epoch, 2.0 / epoch, [dice], 0.1, 0.1)
        _tell(catalog, "nnplug_epoch_end", run=run, epoch=report)
    dice = float("nan") if does == "nan" else 1 / (1 + number)
    _tell(catalog, "nnplug_after_run", run=run, result=RunResult(10, {"core": dice}, dice))


def _tell(catalog: Catalog, hook: str, **arguments: Any) -> None:
    for _, call in catalog.host.calls(hook):
        call(**arguments)


def _misbehave(does: str, folder: Path) -> None:
    if does == "fail":
        raise TrainingError("this nap failed", where=str(folder))
    if does == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if does == "wait":
        time.sleep(3600)
