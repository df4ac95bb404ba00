"""A trainer from a package that nnplug has never seen, installed from wheels in a fresh venv."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from acceptance_tools import NNUNET_VARIABLES, run_command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]

PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "outside-trainers"
version = "3.1"
dependencies = ["nnplug"]

[project.entry-points.nnplug]
outside = "outside_trainers.plugin"
"""
PLUGIN = """\
from dataclasses import dataclass

from nnplug.hookspecs import hookimpl
from nnplug.types import TrainerSpec


@dataclass(frozen=True)
class OutsideOptions:
    momentum: float = 0.9


@hookimpl
def nnplug_trainers():
    where = "outside_trainers.trainers"
    return [
        TrainerSpec("outside", f"{where}:nnUNetTrainerV2_Outside", OutsideOptions),
        TrainerSpec("outside_dp", f"{where}:nnUNetTrainerV2_OutsideDP", data_parallel=True),
    ]
"""
TRAINERS = """\
from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2
from nnunet.training.network_training.nnUNetTrainerV2_DP import nnUNetTrainerV2_DP

from outside_trainers.plugin import OutsideOptions


class nnUNetTrainerV2_Outside(nnUNetTrainerV2):
    options = OutsideOptions()

    def initialize_optimizer_and_scheduler(self):
        super().initialize_optimizer_and_scheduler()
        self.optimizer.param_groups[0]["momentum"] = self.options.momentum


class nnUNetTrainerV2_OutsideDP(nnUNetTrainerV2_DP):
    pass
"""
SMALL = [
    *("trainer.epochs=4", "trainer.batches_per_epoch=6", "trainer.val_batches_per_epoch=1"),
    *("trainer.batch_size=2", "trainer.base_num_features=4", "device=cpu", "workers=1"),
]
DATASET = [
    *("dataset.name=Blobs", "dataset.task_id=401", "dataset.channels={0:MRI}"),
    "dataset.labels={background:0,blob:1}",
]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh venv that holds nnplug's wheel and the outside package's."""
    folder = tmp_path_factory.mktemp("outside")
    package = folder / "source" / "outside_trainers"
    package.mkdir(parents=True)
    (package.parent / "pyproject.toml").write_text(PYPROJECT)
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(PLUGIN)
    (package / "trainers.py").write_text(TRAINERS)
    wheels = folder / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    for source in (ROOT, package.parent):
        run_command([*build, str(wheels), str(source)], folder)
    venv.create(folder / "venv", with_pip=True)
    found = folder / "venv" / "bin" / "python"
    install = [str(found), "-m", "pip", "install", "--quiet", "--constraint"]
    constraints = str(ROOT / "constraints.txt")
    run_command([*install, constraints, *map(str, wheels.glob("*.whl"))], folder)
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Six small images with a bright ball."""
    folder = tmp_path / "source"
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in (20, 28, 24)), indexing="ij"))
    for case in range(6):
        centre = rng.uniform(8, 12, (3, 1, 1, 1))
        ball = ((grid - centre) ** 2).sum(axis=0) < 36
        image = sitk.GetImageFromArray((ball * 80 + rng.normal(100, 10, ball.shape)).astype("f4"))
        sitk.WriteImage(image, str(folder / "images" / f"blob{case}.nii.gz"))
        label = sitk.GetImageFromArray(ball.astype("u1"))
        sitk.WriteImage(label, str(folder / "labels" / f"blob{case}.nii.gz"))
    return folder


@pytest.mark.parametrize(
    ("trainer", "class_name"),
    [("outside", "nnUNetTrainerV2_Outside"), ("outside_dp", "nnUNetTrainerV2_OutsideDP")],
)
def test_trained_interrupted_resumed_and_predicted_by_name(
    python: Path, source: Path, tmp_path: Path, trainer: str, class_name: str
) -> None:
    nnplug = str(python.with_name("nnplug"))
    options = ["trainer.options.momentum=0.8"] if trainer == "outside" else []
    train = [nnplug, "train", *DATASET, f"dataset.source={source}", f"trainer={trainer}", *SMALL]
    _interrupt_after_first_epoch([*train, *options], tmp_path)

    done = run_command([*train, *options, "resume=true"], tmp_path)
    assert "resuming from model_latest.model" in done.stderr
    assert "epoch 4/4" in done.stderr
    assert "epoch 1/4" not in done.stderr

    predict = [nnplug, "predict", *DATASET, f"trainer={trainer}", "folds=[0]", "device=cpu"]
    run_command([*predict, f"input={source / 'images'}", "output=masks"], tmp_path)
    assert len(list((tmp_path / "masks").glob("blob*.nii.gz"))) == 6

    # Without the package the model says what is missing.
    (model,) = tmp_path.glob(f"nnplug_data/nnUNet_trained_models/nnUNet/*/*/{class_name}__*")
    by_model = [nnplug, "predict", f"model={model}", f"input={source / 'images'}", "output=again"]
    refused = run_command([*by_model, "device=cpu"], tmp_path, code=3, NNPLUG_BLOCK="outside")
    assert class_name in refused.stderr
    assert "outside-trainers" in refused.stderr
    assert "3.1" in refused.stderr


def _interrupt_after_first_epoch(command: list[str], folder: Path) -> None:
    environ = {key: value for key, value in os.environ.items() if key not in NNUNET_VARIABLES}
    log = folder / "interrupted.log"
    with log.open("w") as stream:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=stream, stderr=stream)
    deadline = time.monotonic() + 600
    while "epoch 1/4" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 130, log.read_text()
    assert "resume=true" in log.read_text()
