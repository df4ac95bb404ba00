"""Mounting: found by nnU-Net under its name, or refused with its owner's name."""

from __future__ import annotations

import textwrap

MODULE = """
from abc import ABCMeta, abstractmethod
from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2
from nnunet.training.network_training.nnUNetTrainerV2_DP import nnUNetTrainerV2_DP

class Fine(nnUNetTrainerV2):
    pass

class FineDP(nnUNetTrainerV2_DP):
    pass

class Bad__Name(nnUNetTrainerV2):
    pass

class Narrow(nnUNetTrainerV2):
    def __init__(self, plans_file, fold):
        super().__init__(plans_file, fold)

class Unwritten(nnUNetTrainerV2, metaclass=ABCMeta):
    @abstractmethod
    def loss(self): ...

class NoTrainer:
    pass

class autocast(nnUNetTrainerV2):
    pass

class nnUNetTrainerV2_noMirroring(nnUNetTrainerV2):
    pass
"""


def test_trainers(tmp_path, run_python):
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "other.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("import nothing_like_this")
    code = f"""
    import sys
    sys.path.insert(0, {str(tmp_path)!r})
    from engine_job import *
    from nnplug.engine import mounting
    from nnplug.engine.mounting import DP_TRAINER, TRAINER
    from nnplug.errors import PluginError
    enter()
    cls = mounting.mount(TRAINER, "mine:Fine", "plug")
    print(cls is mounting.mount(TRAINER, "mine:Fine", "plug") is mounting.find(TRAINER, "Fine"))
    print(mounting.mount(DP_TRAINER, "mine:FineDP", "plug").__name__)
    home = "nnunet.training.network_training.nnUNetTrainerV2"
    print(mounting.mount(TRAINER, home + ":nnUNetTrainerV2", "nnplug").__name__)
    print(mounting.mount(DP_TRAINER, home + "_DP:nnUNetTrainerV2_DP", "nnplug").__name__)
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(1) as pool:
        print(pool.apply(mounting.find, (TRAINER, "Fine")) is cls)
    for target in ("mine:Fine2", "mine:NoTrainer", "mine:Bad__Name", "mine:Narrow", "mine:autocast",
                   "mine:nnUNetTrainerV2_noMirroring", "other:Fine", "broken:X", "nocolon",
                   "absent_module:X", "mine:Unwritten"):
        try:
            mounting.mount(TRAINER, target, "plug")
            print("mounted", target)
        except PluginError as error:
            print(target, "|", str(error).splitlines()[0], "|", bool(error.__cause__))
    try:
        mounting.mount(DP_TRAINER, "mine:Fine", "plug")
    except PluginError as error:
        print(error)
    """
    out = run_python(textwrap.dedent(code), tmp_path).splitlines()
    assert out[:5] == ["True", "FineDP", "nnUNetTrainerV2", "nnUNetTrainerV2_DP", "True"]
    said = dict(line.split(" | ", 1) for line in out[5:16])
    assert "no such class" in said["mine:Fine2"]
    assert "no subclass of nnUNetTrainerV2" in said["mine:NoTrainer"]
    assert "'__'" in said["mine:Bad__Name"]
    assert "doesn't take nnU-Net's arguments" in said["mine:Narrow"]
    assert "is nnU-Net's own" in said["mine:autocast"]
    assert "is nnU-Net's own" in said["mine:nnUNetTrainerV2_noMirroring"]
    assert "taken by plug (mine.Fine)" in said["other:Fine"]
    assert "nothing_like_this" in said["broken:X"]
    assert said["broken:X"].endswith("True")
    assert "module:Class" in said["nocolon"]
    assert "can't be imported" in said["absent_module:X"]
    assert "the class is abstract: loss must be written" in said["mine:Unwritten"]
    assert all("plug: " in line for line in said.values())
    assert "num_gpus" in out[-1] or "num_gpus" in out[-2]


PLANNING = """
from nnunet.experiment_planning import experiment_planner_baseline_3DUNet_v21 as stock_3d
from nnunet.preprocessing.preprocessing import GenericPreprocessor, PreprocessorFor2D

class Roomy(stock_3d.ExperimentPlanner3D_v21):
    pass

class Choosy(stock_3d.ExperimentPlanner3D_v21):
    def __init__(self, cropped, output, memory):
        super().__init__(cropped, output)

class ExperimentPlanner3D_v22(stock_3d.ExperimentPlanner3D_v21):
    pass

class Shifted(GenericPreprocessor):
    pass

class Shifted2D(PreprocessorFor2D):
    pass

class PreprocessorFor3D_NoResampling(GenericPreprocessor):
    pass
"""


def test_planners_and_preprocessors(tmp_path, run_python):
    (tmp_path / "mine.py").write_text(PLANNING)
    code = f"""
    import sys
    sys.path.insert(0, {str(tmp_path)!r})
    from engine_job import *
    from nnplug.engine import mounting
    from nnplug.engine.mounting import PLANNER, PREPROCESSOR
    from nnplug.errors import PluginError
    enter()
    from nnunet.training.model_restore import recursive_find_python_class as finder
    import nnunet
    for kind, name in ((PLANNER, "Roomy"), (PREPROCESSOR, "Shifted"), (PREPROCESSOR, "Shifted2D")):
        cls = mounting.mount(kind, "mine:" + name, "plug")
        folder = nnunet.__path__[0] + "/" + kind.package.partition(".")[2]
        print(finder([folder], name, kind.package) is cls)
    for kind, name in ((PLANNER, "Choosy"), (PLANNER, "ExperimentPlanner3D_v22"),
                       (PLANNER, "Shifted"), (PREPROCESSOR, "Roomy"),
                       (PREPROCESSOR, "PreprocessorFor3D_NoResampling")):
        try:
            mounting.mount(kind, "mine:" + name, "plug")
        except PluginError as error:
            print(str(error).splitlines()[0])
    """
    assert run_python(textwrap.dedent(code), tmp_path).splitlines() == [
        *["True"] * 3,
        "plug: mine:Choosy: its constructor doesn't take nnU-Net's arguments: missing a required "
        "argument: 'memory'",
        "plug: mine:ExperimentPlanner3D_v22: the name ExperimentPlanner3D_v22 is nnU-Net's own "
        "(nnunet.experiment_planning.alternative_experiment_planning."
        "experiment_planner_baseline_3DUNet_v22.ExperimentPlanner3D_v22)",
        "plug: mine:Shifted: not a planner: it is no subclass of ExperimentPlanner",
        "plug: mine:Roomy: not a preprocessor: it is no subclass of GenericPreprocessor",
        "plug: mine:PreprocessorFor3D_NoResampling: the name PreprocessorFor3D_NoResampling is "
        "nnU-Net's own (nnunet.preprocessing.preprocessing.PreprocessorFor3D_NoResampling)",
    ]


def test_workers_that_were_not_forked(tmp_path, run_python):
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "planning.py").write_text(PLANNING)
    code = f"""
    import sys
    sys.path.insert(0, {str(tmp_path)!r})
    import multiprocessing
    from engine_job import *
    from nnplug.engine import mounting
    from nnplug.engine.mounting import PREPROCESSOR, TRAINER
    enter()
    mounting.mount(TRAINER, "mine:Fine", "plug")
    mounting.mount(PREPROCESSOR, "planning:Shifted", "plug")
    spawn = multiprocessing.get_context("spawn")
    for arguments in ((), (mounting.replay, (mounting.mounted(),))):
        with spawn.Pool(1, *arguments) as pool:
            for kind, name in ((TRAINER, "Fine"), (PREPROCESSOR, "Shifted")):
                print(pool.apply(mounting.find, (kind, name)))
    """
    # Spawned processes inherit the flag that makes nnU-Net's own warnings errors.
    out = run_python(textwrap.dedent(code), tmp_path, strict=False).splitlines()
    assert [line for line in out if line.startswith(("None", "<class"))] == [
        *["None"] * 2,
        "<class 'mine.Fine'>",
        "<class 'planning.Shifted'>",
    ]


def test_what_is_offered_is_mounted_when_it_is_asked_for(tmp_path, run_python):
    (tmp_path / "planning.py").write_text(PLANNING)
    (tmp_path / "again.py").write_text(PLANNING)
    code = f"""
    import sys
    sys.path.insert(0, {str(tmp_path)!r})
    from types import SimpleNamespace as Bag
    from engine_job import *
    from nnplug.engine import mounting
    from nnplug.errors import PluginError
    from nnplug.types import PreprocessorSpec
    enter()
    def offer(*targets):
        entries = [Bag(spec=PreprocessorSpec(t, t), owner=t) for t in targets]
        mounting.offer(Bag(trainers=[], preprocessors=entries))
    offer("planning:Shifted", "nowhere:Else")
    print("planning" in sys.modules, mounting.find(mounting.PREPROCESSOR, "Shifted"))
    offer("planning:Shifted", "again:Shifted")
    try:
        mounting.find(mounting.PREPROCESSOR, "Shifted")
    except PluginError as error:
        print(error.problem)
    """
    assert run_python(textwrap.dedent(code), tmp_path).splitlines() == [
        "False <class 'planning.Shifted'>",
        "the name Shifted is taken by planning:Shifted (planning.Shifted)",
    ]
