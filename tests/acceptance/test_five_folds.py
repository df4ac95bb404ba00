"""Five folds started at once from scans, killed at random moments, and started again."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from acceptance_tools import NNUNET_VARIABLES, copy_scans

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

CASES = 15
LAUNCHER = Path(__file__).parents[1] / "engine" / "small_gpu.py"
SETTINGS = [
    *("dataset=hippocampus", "dataset.source=source", "convert.qc=false", "workers=1"),
    *("trainer.epochs=2", "trainer.batches_per_epoch=3", "trainer.val_batches_per_epoch=1"),
    *("trainer.batch_size=2", "trainer.base_num_features=4", "trainer.mirror_axes=[]"),
    *("device=cpu", "resume=true"),
]


def start(folder: Path, network: str, fold: int, *more: str) -> subprocess.Popen[str]:
    kept = {key: value for key, value in os.environ.items() if key not in NNUNET_VARIABLES}
    with (folder / f"{network}_{fold}.log").open("a") as log:
        wanted = [*SETTINGS, f"network={network}", f"fold={fold}", *more]
        return subprocess.Popen(
            [sys.executable, str(LAUNCHER), "train", *wanted],
            cwd=folder,
            env=kept | {"OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture(scope="module")
def folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the scans."""
    made = tmp_path_factory.mktemp("five")
    copy_scans(shared_data, made / "source", CASES)
    return made


@pytest.mark.parametrize("network", ["3d_cascade_fullres", "3d_fullres", "2d"])
def test_folds_started_at_once_and_killed_end_complete(folder: Path, network: str) -> None:
    dice = random.Random(network)
    for round_ in range(2):
        running = [start(folder, network, fold) for fold in range(5)]
        for process in dice.sample(running, 5):
            time.sleep(dice.uniform(0.5, 8 * (1 + round_)))
            process.kill()
        for process in running:
            process.wait(60)
    running = [start(folder, network, fold) for fold in range(5)]
    codes = [process.wait(1200) for process in running]
    logs = [(folder / f"{network}_{fold}.log").read_text()[-2000:] for fold in range(5)]
    assert codes == [0] * 5, "\n\n".join(logs)

    results = folder / "nnplug_data" / "nnUNet_trained_models" / "nnUNet"
    stages = ["3d_lowres", network] if network == "3d_cascade_fullres" else [network]
    for stage in stages:
        (model,) = results.glob(f"{stage}/*/*__*")
        masks = sorted(path.name for path in model.glob("fold_*/validation_raw/*.nii.gz"))
        assert len(masks) == len(set(masks)) == CASES
        assert len(list(model.glob("fold_*/model_final_checkpoint.model"))) == 5
        assert len(list(model.glob("fold_*/validation_raw/summary.json"))) == 5
    looks = start(folder, network, 4, "--dry-run")
    assert looks.wait(120) == 0
    shown = (folder / f"{network}_4.log").read_text().splitlines()[-5:]
    assert [line.split()[0] for line in shown] == ["done"] * 5
