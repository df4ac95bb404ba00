"""The experiments of conf/experiment on real scans, with small trainings."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import time
from collections import Counter

import psutil
import pytest
from scans import TINY, Scans

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Scans:
    """Some of the scans."""
    return Scans.copied(tmp_path_factory.mktemp("sweeps"))


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the command and everybody below it."""
    everybody = psutil.Process(process.pid).children(recursive=True)
    for one in [psutil.Process(process.pid), *everybody]:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()


def test_a_grid_that_is_killed_three_times_ends_as_one_that_is_not(scans: Scans) -> None:
    """Kills come at random moments after a quarter, a half and three quarters of the jobs."""
    grid = ("-m", "experiment=hippocampus_grid", "sweep.jobs=2", *TINY)
    killed = (*grid, "sweep.dir=killed", "paths.root=killed_data")
    chance = random.Random(24)
    for done in (6, 12, 18):
        process = scans.start(*killed)
        end = time.monotonic() + 600
        while sum(state["status"] == "done" for state in scans.states("killed")) < done:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        time.sleep(chance.uniform(0, 8))
        kill(process)
    scans.run(*killed)
    assert max(state["attempts"] for state in scans.states("killed")) > 1
    scans.run(*grid, "sweep.dir=quiet", "paths.root=quiet_data")
    table = scans.table("killed")
    assert [row["status"] for row in table] == ["done"] * 24
    assert table == scans.table("quiet")


def test_a_search_beats_the_recipe_that_it_starts_from(scans: Scans) -> None:
    search = (
        *("experiment=hippocampus_search", "trainer.epochs=6", "trainer.batches_per_epoch=10"),
        *("trainer.val_batches_per_epoch=2", "trainer.patch_size=[24,32,24]"),
        *("sweep.search.seed=1", "paths.root=search"),
    )
    scans.run(*search)
    models = scans.folder / "search" / "nnUNet_trained_models" / "nnUNet" / "3d_fullres"
    (fold,) = models.glob("*/*/fold_0")
    default = json.loads((fold / "run.json").read_text())["result"]["mean_dice"]
    scans.run("-m", *search, "trainer.base_num_features=8,16", "sweep.dir=searched")
    found = scans.states("searched")
    counted = Counter(state["status"] for state in found)
    assert counted["done"] + counted["pruned"] == len(found) == 30
    assert counted["pruned"] >= 10
    best = max(state["metrics"].get("val_dice", 0.0) for state in found)
    assert best > max(default, 0.3)
