"""A tiny task, planned and preprocessed once a session, that trains on a CPU in seconds."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nnplug.config.folders import VARIABLES

SIZE = 24
DATASET = (
    *("dataset.name=Tiny", "dataset.task_id=990", "dataset.channels={0: MR}"),
    "dataset.labels={background: 0, shell: 1, core: 2}",
)
PLAIN = ("convert.qc=false", "device=cpu", "workers=1")
SMALL = (
    *("trainer.batches_per_epoch=2", "trainer.val_batches_per_epoch=1", "trainer.batch_size=2"),
    *("trainer.base_num_features=4", "trainer.patch_size=[16,16,16]"),
    "seed=1",
)


def write_source(folder: Path, cases: int = 5) -> Path:
    """Nested balls in noise as NIfTI, 24 voxels of 1 mm a side, labels 0, 1 and 2."""
    import numpy as np
    import SimpleITK as sitk

    rng = np.random.default_rng(7)
    grid = np.mgrid[:SIZE, :SIZE, :SIZE]
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(cases):
        centre = SIZE / 2 + rng.uniform(-2, 2, (3, 1, 1, 1))
        distance = ((grid - centre) ** 2).sum(axis=0)
        label = ((distance < 64).astype(np.uint8) + (distance < 20)).astype(np.uint8)
        values = (label * 90 + rng.normal(300, 20, label.shape)).astype(np.float32)
        for kind, array in (("images", values), ("labels", label)):
            path = folder / kind / f"ball_{number}.nii.gz"
            sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return folder


def environment() -> dict[str, str]:
    """This process' variables, without those that lead nnU-Net or nnplug elsewhere."""
    unwanted = {*VARIABLES, "NNPLUG_ROOT", "NNPLUG_CONF"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "OMP_NUM_THREADS": "1", "NNPLUG_CACHE": "off"}


def data_overrides(folder: Path) -> list[str]:
    """What names the task below ``folder``, for every verb that plans."""
    where = [f"dataset.source={folder / 'source'}", f"paths.root={folder / 'root'}"]
    return [*DATASET, *where, *PLAIN]


def overrides(folder: Path) -> list[str]:
    """The same for every verb that trains, with a small network."""
    return [*data_overrides(folder), *SMALL]


@functools.cache
def _prepared() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="nnplug-testing-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_source(folder / "source")
    command = [sys.executable, "-m", "nnplug", "plan", "--no-plugins"]
    command += data_overrides(folder)
    done = subprocess.run(command, env=environment(), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def copy_task(folder: Path) -> Path:
    """A copy of the planned task: ``source`` and ``root`` below ``folder``."""
    shutil.copytree(_prepared(), folder, dirs_exist_ok=True)
    return folder
