"""Planners and preprocessors of plugins, and nnU-Net's alternative ones, beside its default."""

from __future__ import annotations

import textwrap

import pytest

pytestmark = pytest.mark.slow

PLUGIN = """
from nnunet.experiment_planning import experiment_planner_baseline_2DUNet_v21 as stock_2d
from nnunet.experiment_planning import experiment_planner_baseline_3DUNet_v21 as stock_3d
from nnunet.preprocessing.preprocessing import GenericPreprocessor

class Narrow(stock_3d.ExperimentPlanner3D_v21):
    def __init__(self, cropped, output):
        super().__init__(cropped, output)
        self.unet_base_num_features = 8
        self.preprocessor_name = "Shifted"

class Flat(stock_2d.ExperimentPlanner2D_v21):
    pass

class Shifted(GenericPreprocessor):
    def resample_and_normalize(self, *args, **kwargs):
        data, seg, properties = super().resample_and_normalize(*args, **kwargs)
        return data + 5, seg, properties
"""
HEAD = """
import sys
sys.path.insert(0, {folder!r})
import hashlib
from types import SimpleNamespace as Bag
import numpy as np
from engine_job import *
from nnplug.engine import mounting, models, plans, planning, training
from nnplug.engine.planners import Planner
from nnplug.errors import NnplugError
from nnplug.types import PreprocessorSpec
f, device = enter()
there = f.preprocessed / TASK
shifted = Bag(spec=PreprocessorSpec("shifted", "planning_plugin:Shifted"), owner="plug")
mounting.offer(Bag(trainers=[], preprocessors=[shifted]))
def stock_files():
    paths = sorted([*there.glob("nnUNetPlansv2.1_plans*"), *there.glob("nnUNetData_plans*/*.np?")])
    return [(str(path), hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]
def prepare(planner):
    before = stock_files()
    planning.prepare(f, TASK, "3d_fullres", 2, log=None, planner=planner)
    print(before == stock_files(), planning.is_planned(f, TASK, "3d_fullres", planner.identifier))
    return plans.read(plans.plans_file(f, TASK, "3d_fullres", planner.identifier))
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The head of a script that knows the plugin."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "planning_plugin.py").write_text(PLUGIN)
    return HEAD.format(folder=str(folder))


@pytest.fixture(scope="module")
def narrow(planned, script, run_python):
    """The task with plans of the plugin's planner too, preprocessed in spawned processes."""
    code = """
    import multiprocessing
    multiprocessing.set_start_method("spawn")
    content = prepare(Planner("planning_plugin:Narrow", "plug", "nnUNetPlans_Narrow"))
    print(content["base_num_features"], content["preprocessor_name"], content["data_identifier"])
    small = planning.PlanOverrides(2, (16, 16, 16))
    planning.derive(f, TASK, "3d_fullres", "nnUNetPlans_Narrow_1", small, "nnUNetPlans_Narrow")
    print(planning.stamped(f, TASK, "3d_fullres"))
    planning.stamp(f, TASK, "3d_fullres", "other", "nnUNetPlans_Narrow")
    print(planning.stamped(f, TASK, "3d_fullres"))
    print(planning.stamped(f, TASK, "3d_fullres", "nnUNetPlans_Narrow"))
    """
    # Spawned processes inherit the flag that makes nnU-Net's own warnings errors.
    out = run_python(script + textwrap.dedent(code), planned, strict=False).splitlines()
    assert out[-5:] == [
        "True True",
        "8 Shifted nnUNetData_Narrow_3D",
        *["hash", "hash", "other"],
    ]
    return planned


def test_a_plugins_preprocessor_makes_the_training_data(narrow, script, run_python):
    code = """
    for case in sorted(there.glob("nnUNetData_plans_v2.1_stage0/*.npz")):
        stock = np.load(case)["data"]
        mine = np.load(there / "nnUNetData_Narrow_3D_stage0" / case.name)["data"]
        print(np.array_equal(mine[-1], stock[-1]), np.allclose(mine[:-1], stock[:-1] + 5))
    """
    out = run_python(script + textwrap.dedent(code), narrow).splitlines()
    assert out == ["True True"] * 6


def test_a_plugins_preprocessor_predicts(narrow, script, tmp_path, run_python):
    code = """
    changes = dict(plans_identifier="nnUNetPlans_Narrow_1", epochs=1)
    training.run(f, device, job(**changes), on_epoch=print, log=f.results / "log")
    folder = next(f.models.glob("3d_fullres/*/*__nnUNetPlans_Narrow_1"))
    from nnplug.engine.inference import Inference
    images = sorted((f.raw_data / TASK / "imagesTr").glob("c0_*"))
    data = Inference(models.load_model(folder, [0], device=device)).read(images)[0].data
    stored = np.load(there / "nnUNetData_Narrow_3D_stage0" / "c0.npz")["data"][:-1]
    print(np.abs(data - stored).max() < 1e-4)
    """
    out = run_python(script + textwrap.dedent(code), narrow, results=tmp_path).splitlines()
    assert out[-1] == "True"
    code = """
    from engine_job import *
    from nnplug.engine import models
    from nnplug.errors import NnplugError
    f, device = enter()
    folder = next(f.models.glob("3d_fullres/*/*__nnUNetPlans_Narrow_1"))
    try:
        models.load_model(folder, [0], device=device)
    except NnplugError as error:
        print(type(error).__name__, error.problem)
    from nnplug.engine.safe import read_pickle
    import pickle
    path = folder / "fold_0" / "model_final_checkpoint.model.pkl"
    content = read_pickle(path)
    content["nnplug"]["preprocessor"] = {"owner": "nnplug-absent", "version": "2"}
    path.write_bytes(pickle.dumps(content))
    try:
        models.load_model(folder, [0], device=device)
    except NnplugError as error:
        print(error.hint)
    """
    assert run_python(code, narrow, results=tmp_path).splitlines() == [
        "PluginError nnU-Net finds no preprocessor 'Shifted'",
        "pip install 'nnplug-absent>=2'",
    ]


def test_alternatives_of_nnunet(planned, script, run_python):
    """The residual one calls its data as v21 does, and doesn't preprocess any."""
    code = """
    from nnplug import stock
    for name in ("ExperimentPlanner3D_v21_16GB", "ExperimentPlanner3DFabiansResUNet_v21"):
        spec = stock.planner(name)
        mine = prepare(Planner(spec.target, "nnunet", "nnUNetPlans_" + name))
        import importlib
        module, _, cls = spec.target.partition(":")
        own = getattr(importlib.import_module(module), cls)(str(f.cropped / TASK), str(there))
        with environment.quiet(None):
            own.plan_experiment()
        print(str(mine["plans_per_stage"]) == str(own.plans["plans_per_stage"]))
    again = prepare(Planner(stock.planner("ExperimentPlanner3D_v21").target, preprocessor="Shifted",
                            identifier="nnUNetPlansv2.1_Shifted"))
    print(again["preprocessor_name"])
    """
    out = run_python(script + textwrap.dedent(code), planned).splitlines()
    assert out == ["True True", "True", "True True", "True", "True True", "Shifted"]


def test_refusals(planned, script, run_python):
    code = """
    from nnplug import stock
    print(stock.planner("ExperimentPlanner2D_v21_RGB_scaleTo_0_1").target == "")
    print(stock.planner("Nobody"), stock.preprocessor("Preprocessor3DBetterResampling").name)
    for target, preprocessor in (("planning_plugin:Flat", None), ("planning_plugin:Narrow", "Lost"),
                   (stock.planner("ExperimentPlanner3D_v21_Pretrained").target, None)):
        try:
            prepare(Planner(target, "plug", "nnUNetPlans_X", preprocessor))
        except NnplugError as error:
            print(type(error).__name__, error.where.startswith("plug: "), error.problem)
    """
    out = run_python(script + textwrap.dedent(code), planned).splitlines()
    assert out == [
        "True",
        "None Preprocessor3DBetterResampling",
        "PluginError True the planner plans the 2d network, not 3d_fullres",
        "PluginError True nnU-Net finds no preprocessor 'Lost'",
        "PluginError True its constructor doesn't take nnU-Net's arguments: missing a required "
        "argument: 'pretrained_model_plans_file'",
    ]
