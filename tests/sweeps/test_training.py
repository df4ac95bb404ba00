"""A sweep over real trainings of a tiny task: as trained one by one, killed, and gone on with."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import contract
import numpy as np
import psutil
import pytest

NNPLUG = [sys.executable, "-P", "-m", "nnplug"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import SimpleITK as sitk

    root = tmp_path_factory.mktemp("source")
    rng = np.random.default_rng(5)
    z, y, x = np.mgrid[:20, :28, :24]
    for number in range(6):
        centre = rng.uniform(-2, 2, 3)
        ball = (z - 10 - centre[0]) ** 2 + (y - 14 - centre[1]) ** 2 + (x - 12 - centre[2]) ** 2
        label = (ball < 60).astype(np.uint8) + (ball < 18)
        image = (label * 100.0 + rng.normal(0, 20, label.shape) + 300).astype(np.float32)
        for name, values in (("images", image), ("labels", label)):
            (root / name).mkdir(exist_ok=True)
            sitk.WriteImage(sitk.GetImageFromArray(values), str(root / name / f"c{number}.nii.gz"))
    return root


@pytest.fixture
def train(source: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """The words of ``nnplug train`` for that task."""

    def words(*overrides: str) -> list[str]:
        return [
            *(*NNPLUG, "train", "dataset.name=Tiny", "dataset.task_id=301", "device=cpu"),
            *("dataset.channels={0: CT}", "dataset.labels={background: 0, shell: 1, core: 2}"),
            *(f"dataset.source={source}", f"paths.root={tmp_path / 'root'}", "workers=1"),
            *("trainer.batches_per_epoch=2", "trainer.val_batches_per_epoch=1", "seed=0"),
            *("trainer.batch_size=2", "trainer.patch_size=[16,16,16]"),
            *("trainer.base_num_features=4", *overrides),
        ]

    return words


@pytest.mark.slow
def test_a_sweep_that_is_killed_ends_as_one_that_is_not(
    train: Callable[..., list[str]], tmp_path: Path
) -> None:
    grid = ["-m", "trainer.initial_lr=1e-2,1e-3", "fold=0,1", "trainer.epochs=2"]
    killed = train(*grid, "sweep=joblib", "sweep.jobs=2", f"sweep.dir={tmp_path / 'killed'}")
    process = subprocess.Popen(killed, cwd=tmp_path, stderr=subprocess.DEVNULL)
    contract.wait_for(lambda: _epochs(tmp_path / "killed") > 0, 120)
    everybody = psutil.Process(process.pid).children(recursive=True)
    for one in [*everybody, psutil.Process(process.pid)]:
        one.kill()
    process.wait()
    subprocess.run(killed, cwd=tmp_path, check=True)
    quiet = train(*grid, f"sweep.dir={tmp_path / 'quiet'}", f"paths.root={tmp_path / 'other'}")
    subprocess.run(quiet, cwd=tmp_path, check=True)
    tables = []
    for name in ("killed", "quiet"):
        table = [*NNPLUG, "sweep", "table", str(tmp_path / name), "--csv", f"{name}.csv"]
        subprocess.run(table, cwd=tmp_path, check=True, capture_output=True)
        with (tmp_path / f"{name}_mean.csv").open() as stream:
            tables.append(list(csv.DictReader(stream)))
    assert [row["trainer.initial_lr"] for row in tables[0]] == ["0.01", "0.001"]
    for one, other in zip(*tables, strict=True):
        assert (one["jobs"], one["done"]) == ("2", "2")
        assert float(one["val_dice"]) == pytest.approx(float(other["val_dice"]), abs=1e-3)
        assert float(one["val_dice sd"]) == pytest.approx(float(other["val_dice sd"]), abs=1e-3)
    assert (tmp_path / "quiet.png").stat().st_size > 0
    status = [*NNPLUG, "sweep", "status", str(tmp_path / "quiet"), "--json"]
    done = subprocess.run(status, check=True, capture_output=True, text=True)
    listed = json.loads(done.stdout)
    assert {job["status"] for job in listed} == {"done"}
    for job in listed:
        summary = Path(job["run"], "validation_raw", "summary.json")
        mean = json.loads(summary.read_text())["results"]["mean"]
        assert job["metrics"]["dice.core"] == pytest.approx(mean["2"]["Dice"])
        assert job["metrics"]["val_dice"] == pytest.approx(
            (mean["1"]["Dice"] + mean["2"]["Dice"]) / 2
        )


def _epochs(folder: Path) -> int:
    """How many epochs the unfinished jobs have behind them."""
    states = [json.loads(path.read_text()) for path in folder.glob("*/state.json")]
    return sum(s["live"].get("epoch", 0) for s in states if s["status"] == "running")
