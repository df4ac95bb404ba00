"""Overrides: seen in what the trainer does, or refused for a trainer that would ignore them."""

from __future__ import annotations

import textwrap

import pytest

START = """
import numpy as np
from engine_job import *
from nnplug.engine import construction, training
from nnplug.engine.overrides import Overrides
from nnplug.errors import NnplugError
from batchgenerators.transforms.spatial_transforms import MirrorTransform, SpatialTransform
f, device = enter()
def build(trainer="nnUNetTrainerV2", load=True, **changes):
    asked = job(trainer=trainer, fold="all", overrides=Overrides(**changes))
    with environment.quiet(None):
        return construction.build(asked, device, training=load)
def step(trainer, kind):
    return [s for s in trainer.tr_gen.transform.transforms if isinstance(s, kind)]
def refused(trainer, **changes):
    try:
        build(trainer, **changes)
        print("accepted", trainer, changes)
    except NnplugError as error:
        print(type(error).__name__, str(error).splitlines()[0])
"""


def test_mirroring_is_shared_by_augmentation_and_prediction(planned, tmp_path, run_python):
    code = START + textwrap.dedent(
        """
        trainer = build(mirror_axes=["z", "y"])
        print([int(axis) for axis in trainer.transpose_forward])
        print([s.axes for s in step(trainer, MirrorTransform)])
        trainer = build(mirror_axes=[])
        print(len(step(trainer, MirrorTransform)), trainer.data_aug_params["do_mirror"])
        refused("nnUNetTrainerV2", mirror_axes=[3])
        refused("nnUNetTrainerV2_noDataAugmentation", mirror_axes=[0])

        # Turned plans: array axis 0 is the image's x.
        trainer = build(load=False)
        trainer.transpose_forward = [2, 1, 0]
        Overrides(mirror_axes=["x"]).before(trainer)
        trainer.setup_DA_params()
        print(trainer.data_aug_params["mirror_axes"])

        from nnplug.engine import models
        result = training.run(f, device, job(epochs=1, overrides=Overrides(mirror_axes=["x"])),
                              on_epoch=print, log=f.results / "log")
        model = models.load_model(result.model_folder, None, device=device)
        print(model.mirrored, model.trainer.data_aug_params["mirror_axes"])
        import json
        print(json.loads((result.fold_folder / "validation_raw/validation_args.json").read_text())
              ["do_mirroring"])
        """
    )
    lines = run_python(code, planned, results=tmp_path).splitlines()
    assert lines[:3] == ["[0, 1, 2]", "[(0, 1)]", "0 False"]
    assert lines[3].startswith("ConfigError trainer.mirror_axes: the patches")
    assert "nnUNetTrainerV2_noDataAugmentation would ignore it" in lines[4]
    assert lines[5] == "(0,)"
    assert lines[-2:] == ["True (2,)", "True"]


def test_augmentation_loss_and_schedule(planned, tmp_path, run_python):
    code = START + textwrap.dedent(
        """
        stock, half = build(), build(augmentation=0.5)
        a, b = step(stock, SpatialTransform)[0], step(half, SpatialTransform)[0]
        print(np.allclose(b.angle_x, np.array(a.angle_x) / 2), b.scale)
        print(build().data_aug_params["scale_range"])
        trainer = build(deep_supervision=False, loss_weights={"ce": 2.0, "dice": 0.0})
        import torch
        logits = [torch.randn(2, 3, 16, 16, 16), torch.randn(2, 3, 8, 8, 8)]
        target = [torch.randint(0, 3, (2, 1, n, n, n)).float() for n in (16, 8)]
        scales = len(trainer.loss.weight_factors)
        logits += [torch.full((2, 3, 4, 4, 4), torch.nan)] * (scales - 2)
        target += [torch.zeros(2, 1, 4, 4, 4)] * (scales - 2)
        wanted = 2 * torch.nn.functional.cross_entropy(logits[0], target[0][:, 0].long())
        print(torch.allclose(trainer.loss(logits, target), wanted))
        for schedule in ("constant", "cosine", "poly"):
            trainer = build(schedule=schedule)
            rates = []
            for epoch in (0, 1):
                with environment.quiet(None):
                    trainer.maybe_update_lr(epoch)
                rates.append(round(trainer.optimizer.param_groups[0]["lr"], 6))
            print(rates)
        refused("nnUNetTrainerV2_warmup", schedule="poly")
        refused("nnUNetTrainerV2_noDeepSupervision", deep_supervision=True)
        refused("nnUNetTrainerV2_Loss_Dice", loss_weights={"ce": 1.0, "dice": 1.0})
        refused("nnUNetTrainerV2_noDataAugmentation", augmentation=0.5)
        """
    )
    lines = run_python(code, planned, results=tmp_path, strict=False).splitlines()
    assert lines[0] == "True (0.85, 1.2)"
    assert lines[1:6] == [
        "(0.7, 1.4)",
        "True",
        "[0.01, 0.01]",
        "[0.01, 0.005]",
        f"[0.01, {round(0.01 * 0.5**0.9, 6)}]",
    ]
    refused = [line for line in lines if "would ignore it" in line]
    assert [line.split(": ")[0].split()[-1] for line in refused] == [
        "trainer.schedule",
        "trainer.deep_supervision",
        "trainer.loss_weights",
        "trainer.augmentation",
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"mirror_axes": ["z", 0]},
        {"mirror_axes": ["w"]},
        {"mirror_axes": [0, 0]},
        {"augmentation": 1.5},
        {"loss_weights": {"ce": 1.0}},
        {"loss_weights": {"ce": 0.0, "dice": 0.0}},
        {"loss_weights": {"ce": -1.0, "dice": 1.0}},
    ],
)
def test_bad_values(values):
    from nnplug.config.settings import Trainer

    with pytest.raises(ValueError, match=next(iter(values))):
        Trainer("v2", **values)
