"""The search of conf/experiment on real scans, with small trainings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from acceptance_tools import NNUNET_VARIABLES, Run, copy_scans

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

CASES = 10


@pytest.fixture(scope="module")
def folder(nnplug: Run, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the scans."""
    made = tmp_path_factory.mktemp("sweeps")
    copy_scans(shared_data, made / "source", CASES)
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


def states(sweep: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted(sweep.glob("*/state.json"))]


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
