"""The suite for planners passes good ones, and catches what it is meant to catch."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from nnplug.testing._steps import Steps
from nnplug.testing.planner import work

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PLUGIN = """
from nnplug.hookspecs import hookimpl
from nnplug.types import PlannerSpec, PreprocessorSpec

FAULTY = ("NoPlanner", "LacksItsPreprocessor", "OwnClassInPlans", "TakesStocksData",
          "WritesOverStocks", "ImpossiblePatch", "OtherForNewImages", "Guesses", "NeedsFork")

@hookimpl
def nnplug_planners():
    return [
        PlannerSpec("Sound", "planner_code:Sound", "planner_code:SoundFlat"),
        PlannerSpec("FlatAsDeep", "planner_code:SoundFlat"),
        *[PlannerSpec(name, f"planner_code:{name}") for name in FAULTY],
    ]

@hookimpl
def nnplug_preprocessors():
    names = ("Shifted", "ForTrainingOnly", "MadeReady")
    return [PreprocessorSpec(name, f"planner_code:{name}") for name in names]
"""
CODE = """
import numpy as np
from nnunet.experiment_planning.experiment_planner_baseline_2DUNet_v21 import (
    ExperimentPlanner2D_v21,
)
from nnunet.experiment_planning.experiment_planner_baseline_3DUNet_v21 import (
    ExperimentPlanner3D_v21,
)
from nnunet.preprocessing.preprocessing import GenericPreprocessor

READY = []

class Sound(ExperimentPlanner3D_v21):
    def __init__(self, cropped, output):
        super().__init__(cropped, output)
        self.unet_base_num_features = 8
        self.preprocessor_name = "Shifted"

class Shifted(GenericPreprocessor):
    def resample_and_normalize(self, *args, **kwargs):
        data, seg, properties = super().resample_and_normalize(*args, **kwargs)
        return data + 5, seg, properties

class SoundFlat(ExperimentPlanner2D_v21):
    pass

class NoPlanner:
    def __init__(self, cropped, output):
        pass

class LacksItsPreprocessor(ExperimentPlanner3D_v21):
    def __init__(self, cropped, output):
        super().__init__(cropped, output)
        self.preprocessor_name = "Nobody"

class Remark:
    pass

class OwnClassInPlans(ExperimentPlanner3D_v21):
    def save_my_plans(self):
        self.plans["remark"] = Remark()
        super().save_my_plans()

class TakesStocksData(ExperimentPlanner3D_v21):
    def plan_experiment(self):
        self.data_identifier = "nnUNetData_plans_v2.1"
        super().plan_experiment()

class WritesOverStocks(ExperimentPlanner3D_v21):
    def save_my_plans(self):
        super().save_my_plans()
        mine = self.plans_fname
        self.plans_fname = f"{self.preprocessed_output_folder}/nnUNetPlansv2.1_plans_3D.pkl"
        super().save_my_plans()
        self.plans_fname = mine

class ImpossiblePatch(ExperimentPlanner3D_v21):
    def get_properties_for_stage(self, *args):
        stage = super().get_properties_for_stage(*args)
        stage["patch_size"] = np.array(stage["patch_size"]) - 1
        return stage

class OtherForNewImages(ExperimentPlanner3D_v21):
    def __init__(self, cropped, output):
        super().__init__(cropped, output)
        self.preprocessor_name = "ForTrainingOnly"

class ForTrainingOnly(GenericPreprocessor):
    def preprocess_test_case(self, *args, **kwargs):
        data, seg, properties = super().preprocess_test_case(*args, **kwargs)
        return data + 1, seg, properties

class Guesses(ExperimentPlanner3D_v21):
    def get_target_spacing(self):
        return super().get_target_spacing() * np.random.uniform(0.8, 1, 3)

class NeedsFork(ExperimentPlanner3D_v21):
    def __init__(self, cropped, output):
        super().__init__(cropped, output)
        self.preprocessor_name = "MadeReady"
        READY.append(True)

class MadeReady(GenericPreprocessor):
    def _run_internal(self, *args):
        if not READY:
            raise RuntimeError("nobody made this ready")
        super()._run_internal(*args)
"""
FAULTS = [
    ("NoPlanner", "mount", "no subclass of ExperimentPlanner"),
    ("FlatAsDeep", "mount", "plans the 2d network"),
    ("LacksItsPreprocessor", "mount", "no preprocessor 'Nobody'"),
    ("OwnClassInPlans", "plan", "Remark"),
    ("TakesStocksData", "names", "nnUNetData_plans_v2.1"),
    ("WritesOverStocks", "beside", "nnUNetPlansv2.1_plans_3D.pkl"),
    ("ImpossiblePatch", "stock", "RuntimeError"),
    ("OtherForNewImages", "test", "stage 0"),
    ("Guesses", "again", "not equal"),
    ("NeedsFork", "again", "nobody made this ready"),
]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Steps]:
    """How each step went for each planner, nnU-Net's default one among them."""
    folder = tmp_path_factory.mktemp("planners")
    site = folder / "site"
    record = site / "planner_plugin-1.0.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: planner-plugin\nVersion: 1\n")
    (record / "entry_points.txt").write_text("[nnplug]\nmine = planner_plugin\n")
    (site / "planner_plugin.py").write_text(PLUGIN)
    (site / "planner_code.py").write_text(CODE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(site))
        return work(["v21", "Sound", *(name for name, _, _ in FAULTS)], folder / "task")


@pytest.mark.parametrize("name", ["v21", "Sound"])
def test_a_sound_planner_passes(done: Mapping[str, Steps], name: str) -> None:
    assert {*done[name].values()} == {None}, done[name]


@pytest.mark.parametrize(("name", "step", "said"), FAULTS)
def test_a_fault_is_caught_at_its_step(
    done: Mapping[str, Steps], name: str, step: str, said: str
) -> None:
    steps = done[name]
    assert said in str(steps[step]), steps
    assert set(list(steps.values())[: list(steps).index(step)]) <= {None}


def test_every_step_has_its_fault(done: Mapping[str, Steps]) -> None:
    assert {step for _, step, _ in FAULTS} == set(done["v21"])
