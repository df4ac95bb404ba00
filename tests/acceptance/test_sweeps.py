"""The experiments of conf/experiment on real scans, with small trainings."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from acceptance_tools import NNUNET_VARIABLES, Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

CASES = 10
TINY = [
    *("trainer.epochs=2", "trainer.batches_per_epoch=2", "trainer.val_batches_per_epoch=1"),
    # A whole case, so that a case is validated at once.
    *("trainer.patch_size=[40,56,40]", "trainer.base_num_features=4"),
]


@pytest.fixture(scope="module")
def folder(nnplug: Run, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the scans."""
    made = tmp_path_factory.mktemp("sweeps")
    images = sorted((shared_data / "hippocampus" / "images").glob("*.nii.gz"))[:CASES]
    for image in images:
        for kind in ("images", "labels"):
            copy = made / "source" / kind / image.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(image.parents[1] / kind / image.name, copy)
    return made


def words(experiment: str, *more: str) -> list[str]:
    common = ("dataset.source=source", "convert.qc=false", "workers=1", "device=cpu")
    return [f"experiment={experiment}", *common, *more]


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    kept = {key: value for key, value in os.environ.items() if key not in NNUNET_VARIABLES}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "nnplug", *arguments],
        cwd=folder,
        env=kept | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to everybody."""
    everybody = psutil.Process(process.pid).children(recursive=True)
    for one in [*everybody, psutil.Process(process.pid)]:
        one.kill()
    process.wait()


def states(sweep: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted(sweep.glob("*/state.json"))]


def table(nnplug: Run, folder: Path, sweep: str) -> list[dict[str, str]]:
    nnplug(folder, "sweep", "table", sweep, "--csv", f"{sweep}.csv")
    with (folder / f"{sweep}.csv").open() as stream:
        return sorted(csv.DictReader(stream), key=lambda row: row["job"])


def test_a_grid_that_is_killed_three_times_ends_as_one_that_is_not(
    nnplug: Run, folder: Path
) -> None:
    grid = words("hippocampus_grid", "sweep.jobs=2", *TINY)
    killed = ["train", "-m", *grid, "sweep.dir=killed"]
    dice = random.Random(24)
    for round_ in range(1, 4):
        process = start(folder, *killed)
        end = time.monotonic() + 300
        while sum(state["status"] == "done" for state in states(folder / "killed")) < 6 * round_:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        time.sleep(dice.uniform(0, 5))
        kill(process)
    assert start(folder, *killed).wait(600) == 0
    assert start(folder, "train", "-m", *grid, "sweep.dir=quiet", "paths.root=other").wait(600) == 0
    one, other = (table(nnplug, folder, sweep) for sweep in ("killed", "quiet"))
    assert len(one) == len(other) == 24
    assert {row["status"] for row in one} == {"done"}
    for mine, quiet in zip(one, other, strict=True):
        assert mine["job"] == quiet["job"]
        assert float(mine["val_dice"]) == pytest.approx(float(quiet["val_dice"]), abs=1e-3)
        assert float(mine["loss"]) == pytest.approx(float(quiet["loss"]), abs=1e-3)
    assert max(int(str(state["attempts"])) for state in states(folder / "killed")) > 1


def test_a_search_beats_the_recipe_that_it_starts_from(nnplug: Run, folder: Path) -> None:
    short = [
        *("trainer.epochs=6", "trainer.batches_per_epoch=10", "trainer.val_batches_per_epoch=2"),
        "trainer.patch_size=[24,32,24]",
    ]
    search = words("hippocampus_search", *short, "sweep.search.seed=1")
    assert start(folder, "train", *search, "paths.root=search").wait(600) == 0
    (fold,) = folder.glob("search/nnUNet_trained_models/nnUNet/3d_fullres/*/*/fold_0")
    default = json.loads((fold / "run.json").read_text())["result"]["mean_dice"]
    space = ("trainer.base_num_features=8,16", "sweep.dir=searched")
    process = start(folder, "train", "-m", *search, *space, "paths.root=search")
    assert process.wait(1200) == 0
    found = states(folder / "searched")
    counted = Counter(state["status"] for state in found)
    assert counted["done"] + counted["pruned"] == len(found) == 30
    assert counted["pruned"] >= 10
    best = max(state["metrics"].get("val_dice", 0.0) for state in found)  # type: ignore[attr-defined]
    assert best > max(default, 0.3)
