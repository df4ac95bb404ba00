"""Mixed precision on a CPU: near float32, and nothing of it in the checkpoint."""

from __future__ import annotations

import pytest

from nnplug.engine.environment import Device

pytestmark = pytest.mark.slow


def test_bfloat16_on_the_cpu(planned, tmp_path, run_python):
    code = """
        from engine_job import *
        import torch
        from nnplug.engine import safe, training
        from nnplug.errors import NnplugError
        f = folders()
        seen, types = {}, set()
        def train(precision, **changes):
            device = environment.enter(f, device="cpu", gpus=None, workers=1, precision=precision)
            print(device)
            losses = seen[precision] = []
            return training.run(
                f, device, job(seed=3, **changes), log=f.results / "log",
                on_epoch=lambda report: losses.append((report.train_loss, report.val_loss)))
        def final(result):
            return safe.load_checkpoint(result.fold_folder / "model_final_checkpoint.model")
        full = final(train("full"))
        from torch.nn import Conv3d
        stock = Conv3d.forward
        def forward(self, data):
            output = stock(self, data)
            types.add(str(output.dtype))
            return output
        Conv3d.forward = forward
        mixed = final(train("mixed", overwrite=True))
        print(sorted(types))
        for name in ("full", "mixed"):
            print(*(f"{loss:.6f}" for epoch in seen[name] for loss in epoch))
        print({str(value.dtype) for value in mixed["state_dict"].values()})
        print(mixed["state_dict"].keys() == full["state_dict"].keys(), mixed.get("amp_grad_scaler"))
        train("full", resume=True, extend=1)
        print(len(seen["full"]))
        try:
            train("mixed", trainer="nnUNetTrainerV2_DP", data_parallel=True)
        except NnplugError as error:
            print(error)
    """
    lines = run_python(code, planned, results=tmp_path).splitlines()
    assert lines[0] == str(Device("cpu"))
    assert lines[1] == str(Device("cpu", mixed_precision=True))
    assert lines[2] == "['torch.bfloat16', 'torch.float32']"  # the validation is in float32
    full, mixed = ([float(word) for word in line.split()] for line in lines[3:5])
    assert full != mixed
    assert all(abs(a - b) < 0.03 for a, b in zip(full, mixed, strict=True))
    assert lines[5] == "{'torch.float32'}"
    assert lines[6] == "True None"
    assert lines[8] == "1"
    assert "nnUNetTrainerV2_DP can't train in mixed precision on a CPU" in lines[10]
