"""Training on CUDA: one GPU in mixed precision, DataParallel, and back to the CPU."""

from __future__ import annotations

import textwrap

import pytest

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

ON_GPU = """
from engine_job import *
from nnplug.engine import environment, training
f = folders()
device = environment.enter(f, device="cuda", gpus={gpus}, workers=2)
print(device)
def train(**changes):
    losses = []
    result = training.run(f, device, job(**changes), on_epoch=lambda r: losses.append(r.train_loss),
                          log=f.results / "train.log")
    print(result.epochs_done, all(loss == loss for loss in losses), result.mean_dice is not None)
"""


def test_one_gpu_in_mixed_precision(planned, tmp_path, run_python):
    code = ON_GPU.format(gpus=[0]) + "train(epochs=1); train(epochs=1, extend=1, resume=True)"
    lines = run_python(code, planned, results=tmp_path).splitlines()
    assert lines[0] == "Device(kind='cuda', gpus=(0,), mixed_precision=True)"
    assert lines[-2:] == ["1 True True", "2 True True"]


def test_data_parallel_loads_on_the_cpu(planned, tmp_path, run_python):
    every = list(range(torch.cuda.device_count()))
    dp = 'trainer="nnUNetTrainerV2_DP", data_parallel=True'
    run_python(ON_GPU.format(gpus=every) + f"train({dp}, epochs=1)", planned, results=tmp_path)
    code = textwrap.dedent(
        f"""
        from engine_job import *
        from nnplug.engine import training
        f, device = enter()
        result = training.run(f, device, job({dp}, epochs=1, extend=1, resume=True),
                              on_epoch=lambda report: None, log=f.results / "train.log")
        print(result.epochs_done)
        """
    )
    assert run_python(code, planned, results=tmp_path).splitlines()[-1] == "2"


def test_more_gpus_than_there_are(planned, tmp_path, run_python):
    code = textwrap.dedent(
        f"""
        from engine_job import *
        from nnplug.errors import DeviceError
        try:
            environment.enter(folders(), device="cuda", gpus=[0, {torch.cuda.device_count()}],
                              workers=1)
        except DeviceError as error:
            print("asked for GPUs" in str(error))
        """
    )
    assert run_python(code, planned, results=tmp_path) == "True\n"
