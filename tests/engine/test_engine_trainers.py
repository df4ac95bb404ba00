"""Devices that are refused, and what is known of nnU-Net's own trainers."""

from __future__ import annotations

import textwrap


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


def test_threads_are_those_asked_for(tmp_path, run_python):
    """In this process and in those that it starts, whatever the variables say."""
    code = """
    import subprocess, sys
    from engine_job import *
    environment.enter(folders(), device="cpu", gpus=None, workers=1, threads=1)
    print(environment.threads())
    count = "import torch; print(torch.get_num_threads())"
    print(subprocess.run([sys.executable, "-c", count], capture_output=True, text=True).stdout)
    """
    assert run_python(code, tmp_path, OMP_NUM_THREADS="2").split() == ["1", "1"]


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
    from nnplug.engine import mounting, trainers
    from nnplug.errors import PluginError
    for spec in stock.trainers():
        with environment.quiet(None):
            cls = mounting.load(mounting.TRAINER, spec.target, "nnunet")
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
