"""nnUNetTrainerV2_DDP in two processes on the CPU, and its model in one."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from nnplug.engine.safe import load_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HEAD = """
import sys
import numpy as np
from engine_job import *
from nnplug.engine import distributed, mounting, prediction
from nnplug.engine.prediction import PredictCase
from nnplug.errors import NnplugError
DDP = "nnUNetTrainerV2_DDP"
def note(text):
    print(text, flush=True)
def report(epoch):
    print("epoch", epoch.epoch, np.isfinite(epoch.train_loss), len(epoch.dice), flush=True)
def train(**changes):
    chosen = job(trainer=DDP, distributed=True, **changes)
    return distributed.launch(f, device, chosen, processes=2, on_epoch=report, on_note=note,
                              on_start=lambda hashes: print(">", sorted(hashes), flush=True),
                              log=f.results / "log")
"""
MAIN = """
if __name__ == "__main__":
    f, device = enter()
    from nnunet.training.network_training.nnUNetTrainerV2_DDP import nnUNetTrainerV2_DDP
"""


@pytest.fixture
def script(tmp_path, script_env, planned):
    """Write a script, so that spawned processes find its functions; gives the way to run it."""

    def write(body):
        path = tmp_path / "script.py"
        path.write_text(HEAD + MAIN + textwrap.indent(textwrap.dedent(body), "    "))
        return [sys.executable, str(path)], {**script_env(planned, tmp_path)}

    return write


def run(command, env):
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return [line for line in done.stdout.splitlines() if line.startswith((">", "epoch"))]


def test_two_processes_train_and_one_predicts(script):
    body = """
    result = train(epochs=1, seed=3)
    print(">", result.epochs_done, result.mean_dice is not None)
    print(">", sorted(p.name for p in result.fold_folder.glob("*.model*")))
    from nnplug.engine.safe import read_pickle
    from nnplug.engine.models import load_model
    info = read_pickle(result.fold_folder / "model_final_checkpoint.model.pkl")
    print(">", info["name"], info["class"], info["nnplug"]["settings"]["max_num_epochs"])
    model = load_model(result.model_folder, [0], device=device)
    print(">", type(model.trainer).__name__)
    case = PredictCase("c0", tuple(sorted((f.raw_data / TASK / "imagesTr").glob("c0_*"))))
    done = prediction.predict(model, [case], f.results / "out")[0]
    import SimpleITK as sitk
    print(">", done.error, sitk.ReadImage(str(done.mask)).GetSize())
    try:
        train(epochs=1, seed=3)
    except NnplugError as error:
        print(">", type(error).__name__, error.problem)
    result = train(epochs=1, seed=3, resume=True, extend=1)
    print(">", result.epochs_done)
    """
    assert run(*script(body)) == [
        "> ['plans', 'split']",
        "epoch 1 True 2",
        "> 1 True",
        "> ['model_final_checkpoint.model', 'model_final_checkpoint.model.pkl']",
        "> nnUNetTrainerV2_DDP <class 'nnunet.training.network_training.nnUNetTrainerV2_DDP."
        "nnUNetTrainerV2_DDP'> 1",
        "> nnUNetTrainerV2",
        "> None (24, 28, 20)",
        "> DataError this fold was trained before (model_final_checkpoint.model)",
        "> ['plans', 'split']",
        "epoch 2 True 2",
        "> 2",
    ]


def test_sigterm_saves_the_last_whole_epoch(script, tmp_path):
    body = """
    try:
        train(epochs=500, seed=3)
    except NnplugError as error:
        print(">", type(error).__name__, error.hint, flush=True)
    """
    command, env = script(body)
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as child:
        lines = []
        for line in child.stdout:
            lines.append(line.strip())
            if lines[-1].startswith("epoch 2 "):
                child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
    assert lines[-1] == "> Interrupted run the same command with resume=true"
    done = sum(line.startswith("epoch") for line in lines)
    (saved,) = tmp_path.rglob("model_latest.model")
    assert done <= load_checkpoint(saved)["epoch"] <= done + 1
    assert not list(tmp_path.rglob("model_final_checkpoint.model"))
