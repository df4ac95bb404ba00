"""Mounting a trainer: found by nnU-Net under its name, or refused with its owner's name."""

from __future__ import annotations

import textwrap

MODULE = """
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

class NoTrainer:
    pass

class autocast(nnUNetTrainerV2):
    pass

class nnUNetTrainerV2_noMirroring(nnUNetTrainerV2):
    pass
"""


def test_mount(tmp_path, run_python):
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "other.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("import nothing_like_this")
    code = f"""
    import sys
    sys.path.insert(0, {str(tmp_path)!r})
    from engine_job import *
    from nnplug.engine import trainers
    from nnplug.errors import PluginError
    enter()
    cls = trainers.mount("mine:Fine", "plug")
    print(cls is trainers.mount("mine:Fine", "plug") is trainers.find("Fine"))
    print(trainers.mount("mine:FineDP", "plug", data_parallel=True).__name__)
    home = "nnunet.training.network_training.nnUNetTrainerV2"
    print(trainers.mount(home + ":nnUNetTrainerV2", "nnplug").__name__)
    print(trainers.mount(home + "_DP:nnUNetTrainerV2_DP", "nnplug", data_parallel=True).__name__)
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(1) as pool:
        print(pool.apply(trainers.find, ("Fine",)) is cls)
    for target in ("mine:Fine2", "mine:NoTrainer", "mine:Bad__Name", "mine:Narrow", "mine:autocast",
                   "mine:nnUNetTrainerV2_noMirroring", "other:Fine", "broken:X", "nocolon",
                   "absent_module:X"):
        try:
            trainers.mount(target, "plug")
            print("mounted", target)
        except PluginError as error:
            print(target, "|", str(error).splitlines()[0], "|", bool(error.__cause__))
    try:
        trainers.mount("mine:Fine", "plug", data_parallel=True)
    except PluginError as error:
        print(error)
    """
    out = run_python(textwrap.dedent(code), tmp_path).splitlines()
    assert out[:5] == ["True", "FineDP", "nnUNetTrainerV2", "nnUNetTrainerV2_DP", "True"]
    said = dict(line.split(" | ", 1) for line in out[5:15])
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
    assert all("plug: " in line for line in said.values())
    assert "num_gpus" in out[-1] or "num_gpus" in out[-2]


def test_environment_refuses(tmp_path, run_python):
    code = """
    from dataclasses import replace
    from pathlib import Path
    from engine_job import *
    from nnplug.errors import NnplugError
    def attempt(device, gpus, f):
        try:
            print(environment.enter(f, device=device, gpus=gpus, workers=2))
        except NnplugError as error:
            print(type(error).__name__, str(error).splitlines()[0])
    f = folders()
    import sys
    print("torch" in sys.modules, "nnunet" in sys.modules)
    for device, gpus in (("cuda", None), ("auto", [0, 3]), ("cpu", [0]), ("tpu", None),
                         ("mps", None), ("cuda", [1, 1]), ("auto", None)):
        attempt(device, gpus, f)
    attempt("cpu", None, replace(f, results=Path("/elsewhere")))
    """
    out = run_python(code, tmp_path, CUDA_VISIBLE_DEVICES="").splitlines()
    assert out[0] == "False False"
    assert out[1].startswith("DeviceError device=cuda")
    assert out[2].startswith("DeviceError asked for GPUs 0, 3;")
    assert out[3].startswith("DeviceError device=cpu")
    assert "tpu" in out[4]
    assert "DeviceError" in out[5] or "mps" in out[5]
    assert "different numbers" in out[6]
    assert out[7] == "Device(kind='cpu', gpus=(), mixed_precision=False)"
    assert out[8].startswith("NnplugError")
    assert "a process serves one root" in out[8]


def test_own_trainers_are_known_without_importing_them(tmp_path, run_python):
    code = """
    import sys
    from nnplug import stock
    from nnplug.catalog import Catalog
    entry = Catalog.build().trainers.get("nnUNetTrainerV2_Loss_DiceTopK10")
    print(entry.owner.distribution, entry.owner.version, "nnunet" in sys.modules)
    guessed = {spec.name: stock.mode(spec.name) for spec in stock.trainers()}
    print(len(guessed) >= 100, stock.trainer("nnUNetTrainer"), stock.trainer("GeLU"))
    from engine_job import *
    enter()
    from nnplug.engine import trainers
    from nnplug.errors import PluginError
    for spec in stock.trainers():
        with environment.quiet(None):
            cls = trainers.load(spec.target, "nnunet")
        if trainers.mode(cls) != guessed[spec.name]:
            print("differs", spec.name)
    from collections import Counter
    print(sorted(Counter(guessed.values()).items()))
    for owner, version in (("nnunet", "1.7.1"), (None, None), ("nnunet", "1.8"),
                           ("nnplug-absent", "2")):
        try:
            trainers.check_origin({"owner": owner, "version": version}, "x.model")
            print("fits")
        except PluginError as error:
            print(error.problem, "|", error.hint)
    """
    out = run_python(textwrap.dedent(code), tmp_path, strict=False).splitlines()
    assert out == [
        "nnunet 1.7.1 False",
        "True None None",
        "[('cascade', 9), ('ddp', 4), ('dp', 1), ('single', 92)]",
        "fits",
        "fits",
        "it was trained with nnunet 1.8, here is 1.7.1 | pip install 'nnunet>=1.8'",
        "it was trained with nnplug-absent 2, here is none | pip install 'nnplug-absent>=2'",
    ]
