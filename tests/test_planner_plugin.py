"""A plugin's planner and preprocessor through the command line: train, predict, best, bundle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

PLUGIN = """
from nnplug.hookspecs import hookimpl
from nnplug.types import PlannerSpec, PreprocessorSpec

@hookimpl
def nnplug_planners():
    return [PlannerSpec("narrow", "narrow_classes:NarrowPlanner")]

@hookimpl
def nnplug_preprocessors():
    return [PreprocessorSpec("shifted", "narrow_classes:ShiftedPreprocessor")]
"""
CLASSES = """
from nnunet.experiment_planning import experiment_planner_baseline_3DUNet_v21 as stock
from nnunet.preprocessing.preprocessing import GenericPreprocessor

class NarrowPlanner(stock.ExperimentPlanner3D_v21):
    def __init__(self, cropped, output):
        super().__init__(cropped, output)
        self.unet_base_num_features = 4
        self.preprocessor_name = "ShiftedPreprocessor"

class ShiftedPreprocessor(GenericPreprocessor):
    def resample_and_normalize(self, *args, **kwargs):
        data, seg, properties = super().resample_and_normalize(*args, **kwargs)
        return data + 5, seg, properties
"""
SMALL = [
    *("trainer.epochs=1", "trainer.batches_per_epoch=1", "trainer.val_batches_per_epoch=1"),
    *("trainer.batch_size=2", "workers=1", "device=cpu", "paths.root=root"),
    *("dataset.name=Toy", "dataset.task_id=301", "dataset.channels={0: CT}"),
    "dataset.labels={background: 0, shell: 1, core: 2}",
]
MODEL = "3d_fullres/Task301_Toy/nnUNetTrainerV2__nnUNetPlans_NarrowPlanner_"


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """An environment in which the plugin is installed."""
    folder = tmp_path / "site"
    about = folder / "nnplug_narrow-1.5.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: nnplug-narrow\nVersion: 1.5\n")
    (about / "entry_points.txt").write_text("[nnplug]\nnarrow = narrow_plugin\n")
    (folder / "narrow_plugin.py").write_text(PLUGIN)
    (folder / "narrow_classes.py").write_text(CLASSES)
    return {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_planner_from_training_to_prediction(
    tmp_path: Path, installed: dict[str, str], save: Callable[..., Path]
) -> None:
    def nnplug(*arguments: str, code: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "nnplug", *arguments],
            cwd=tmp_path,
            env={**installed, **more},
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
        return done

    rng = np.random.default_rng(0)
    for number in range(5):
        label = np.zeros((20, 24, 28), np.uint8)
        label[6:14, 8:16, 8:18] = 1
        label[8:11, 10:13, 10:14] = 2
        image = label * 50.0 + rng.normal(0, 5, label.shape)
        save(tmp_path / "source" / "images" / f"p{number}.nii.gz", image)
        save(tmp_path / "source" / "labels" / f"p{number}.nii.gz", label)
    nnplug("train", *SMALL, "dataset.source=source", "planner=narrow")
    there = tmp_path / "root" / "nnUNet_preprocessed" / "Task301_Toy"
    assert [path.name for path in there.glob("*_stage0")] == ["nnUNetData_NarrowPlanner_3D_stage0"]
    stamps = json.loads((there / "nnplug_plan.json").read_text())
    assert stamps["nnUNetPlans_NarrowPlanner_plans_3D"].endswith(" (nnplug-narrow 1.5)")
    again = nnplug("train", *SMALL, "planner=narrow", "resume=true")
    assert "complete and validated already" in again.stderr
    assert "planning and preprocessing" not in again.stderr

    predict = ["predict", *SMALL, "input=source/images", "planner=narrow"]
    nnplug(*predict, "output=out")
    assert len(list((tmp_path / "out").glob("p?.nii.gz"))) == 5
    models = tmp_path / "root" / "nnUNet_trained_models" / "nnUNet"
    (model,) = models.glob(f"{MODEL}*")
    nnplug("best", *SMALL, "planner=narrow", "networks=[3d_fullres]", "folds=[0]")
    best = models / "ensembles" / "Task301_Toy" / "best.json"
    (member,) = json.loads(best.read_text())["members"]
    assert (best.parent / member["model"]).resolve() == model
    for name, words in {"named": predict[1:], "best": [*SMALL, "input=source/images"]}.items():
        chosen = ["model=best"] if name == "best" else ["folds=[0]"]
        nnplug("predict", *words, *chosen, f"output={name}")
    for mask in (tmp_path / "best").glob("p?.nii.gz"):
        assert mask.read_bytes() == (tmp_path / "named" / mask.name).read_bytes()
    assert len(list((tmp_path / "best").glob("p?.nii.gz"))) == 5
    blocked = nnplug(
        *("predict", f"model={model}", "input=source/images", "output=o", "device=cpu"),
        code=3,
        NNPLUG_BLOCK="nnplug-narrow",
    )
    assert "no preprocessor 'ShiftedPreprocessor'" in blocked.stderr
    assert "nnplug-narrow 1.5" in blocked.stderr
    nnplug("bundle", "export", f"model={model}", "output=m.zip", "folds=[0]")
    moved = ["bundle", "import", "m.zip", "paths.root=elsewhere", "--json"]
    done = nnplug(*moved, PYTHONPATH="", NNPLUG_BLOCK="nnplug-narrow")
    assert "nnplug-narrow==1.5" in done.stderr
    assert json.loads(done.stdout)["models"][0]["install"] == "nnplug-narrow==1.5"
    gone = nnplug(
        *("predict", "model=Toy", "paths.root=elsewhere", "input=source/images", "output=o"),
        "device=cpu",
        code=3,
        PYTHONPATH="",
    )
    assert "pip install 'nnplug-narrow>=1.5'" in gone.stderr


def test_names_that_cannot_be_used(command: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = command("plan", *SMALL, "planner=v22")
    assert code == 2
    assert "there is no planner called 'v22'" in err
    code, _, err = command("plan", *SMALL, "planner.preprocessor=Nobody")
    assert code == 3
    assert "no preprocessor is called 'Nobody'" in err
    code, _, err = command("plan", *SMALL, "network=2d", "planner.name=ExperimentPlanner3D_v22")
    assert code == 2
    assert "ExperimentPlanner3D_v22 doesn't plan 2d" in err
