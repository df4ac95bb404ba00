"""Sweeps over trainings of some of the real scans, as commands in a folder of their own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from napping import ROOT

from acceptance_tools import NNUNET_VARIABLES, copy_scans

CASES = 10
COMMON = ("dataset.source=source", "convert.qc=false", "workers=1", "device=cpu")
TINY = [
    *("trainer.epochs=2", "trainer.batches_per_epoch=2", "trainer.val_batches_per_epoch=1"),
    # A whole case, so that a case is validated at once.
    *("trainer.patch_size=[40,56,40]", "trainer.base_num_features=4"),
    "checkpoint_minutes=0",  # after every epoch, so that a killed job goes on midway
]


@dataclass(frozen=True)
class Scans:
    """A folder with scans in ``source``."""

    folder: Path

    @classmethod
    def copied(cls, folder: Path) -> Scans:
        """Some of the hippocampus cohort; skips the test where it is absent."""
        data = ROOT.parent / "shared" / "data"
        if not data.is_dir():
            pytest.skip(f"the public scans are not there: {data}")
        copy_scans(data, folder / "source", CASES)
        return cls(folder)

    def start(self, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        """``nnplug train`` with an experiment and more."""
        kept = {key: value for key, value in os.environ.items() if key not in NNUNET_VARIABLES}
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "nnplug", "train", *words, *COMMON],
            cwd=self.folder,
            env=kept | {"OMP_NUM_THREADS": "1"} | variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def run(self, *words: str, **variables: str) -> None:
        """The same to its end."""
        assert self.start(*words, **variables).wait(1200) == 0

    def states(self, sweep: str) -> list[dict[str, Any]]:
        """Each job's ``state.json``."""
        found = sorted((self.folder / sweep).glob("*/state.json"))
        return [json.loads(path.read_text()) for path in found]

    def table(self, sweep: str) -> list[dict[str, str]]:
        """The rows of ``nnplug sweep table``, without how long the jobs took."""
        words = ["sweep", "table", sweep, "--csv", f"{sweep}.csv"]
        subprocess.run(
            [sys.executable, "-P", "-m", "nnplug", *words],
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with (self.folder / f"{sweep}.csv").open() as stream:
            rows = sorted(csv.DictReader(stream), key=lambda row: row["job"])
        return [{name: row[name] for name in row if name != "seconds"} for row in rows]


def equal_on(scans: Scans, *engine: str, **variables: str) -> None:
    """A part of the grid ends on that engine with the table that it has on this machine."""
    part = ("trainer.initial_lr=1e-2", "fold=0,1")
    grid = ("-m", "experiment=hippocampus_grid", *TINY, *part)
    scans.run(*grid, *engine, "sweep.dir=engine", "paths.root=engine_data", **variables)
    scans.run(*grid, "sweep=local", "sweep.dir=local", "paths.root=local_data")
    table = scans.table("engine")
    assert [row["status"] for row in table] == ["done"] * 4
    assert table == scans.table("local")
