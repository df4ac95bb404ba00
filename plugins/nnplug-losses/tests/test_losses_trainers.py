"""The trainers put their losses where nnU-Net's loop takes them; no training here."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnunet.training.loss_functions.deep_supervision import MultipleOutputLoss2
from nnunet.training.loss_functions.dice_loss import DC_and_CE_loss, DC_and_topk_loss

from nnplug_losses.boundary import BoundaryLoss
from nnplug_losses.cldice import SoftClDiceLoss
from nnplug_losses.options import (
    BoundaryOptions,
    ClDiceOptions,
    FocalTverskyOptions,
    TopKOptions,
)
from nnplug_losses.trainers import (
    nnUNetTrainerV2_Boundary,
    nnUNetTrainerV2_ClDice,
    nnUNetTrainerV2_DiceTopK,
    nnUNetTrainerV2_FocalTversky,
)
from nnplug_losses.tversky import FocalTverskyLoss

DICE: dict[str, Any] = {"batch_dice": True, "smooth": 1e-5, "do_bg": False}


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    """Plans of a small network in three dimensions."""
    stage = {
        "batch_size": 2,
        "num_pool_per_axis": [2, 2, 2],
        "patch_size": np.array((16, 16, 16)),
        "do_dummy_2D_data_aug": False,
        "pool_op_kernel_sizes": [[2, 2, 2]] * 3,
        "conv_kernel_sizes": [[3, 3, 3]] * 4,
    }
    content = {
        "plans_per_stage": {0: stage},
        "base_num_features": 4,
        "conv_per_stage": 2,
        "num_modalities": 1,
        "num_classes": 2,
        "all_classes": [1, 2],
        "data_identifier": "nnUNetData_plans_v2.1",
        "dataset_properties": {"intensityproperties": None},
        "normalization_schemes": OrderedDict({0: "nonCT"}),
        "use_mask_for_norm": OrderedDict({0: False}),
        "keep_only_largest_region": None,
        "min_region_size_per_class": None,
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
    }
    path = tmp_path / "plans.pkl"
    path.write_bytes(pickle.dumps(content))
    return path


def trainer(cls: Any, plans: Path, options: Any) -> Any:
    made = cls(str(plans), 0, str(plans.parent / "out"), str(plans.parent), stage=0)
    made.options = options
    made.initialize(False)
    return made


def outputs() -> tuple[list[Any], list[Any]]:
    generator = torch.Generator().manual_seed(0)
    sizes = [(2, 16, 16, 16), (2, 8, 8, 8), (2, 4, 4, 4)]
    scores = [torch.randn(b, 3, *rest, generator=generator) for b, *rest in sizes]
    targets = [torch.randint(0, 3, (b, 1, *rest), generator=generator) for b, *rest in sizes]
    return scores, [target.float() for target in targets]


def weighed(loss: Any, scores: list[Any], targets: list[Any]) -> float:
    """nnU-Net's deep supervision of three outputs: 2/3 and 1/3, the lowest left out."""
    first, second = (loss(s, t).item() for s, t in zip(scores[:2], targets[:2], strict=True))
    return float(2 / 3 * first + 1 / 3 * second)


def test_cldice_is_added_to_nnunets_loss(plans: Path) -> None:
    made = trainer(nnUNetTrainerV2_ClDice, plans, ClDiceOptions(weight=0.3, iterations=2))
    scores, targets = outputs()
    stock = weighed(DC_and_CE_loss(DICE, {}), scores, targets)
    tubes = weighed(SoftClDiceLoss(2, True), scores, targets)
    assert isinstance(made.loss, MultipleOutputLoss2)
    assert made.loss(scores, targets).item() == pytest.approx(stock + 0.3 * tubes, rel=1e-5)


def test_without_weight_it_is_nnunets_loss(plans: Path) -> None:
    made = trainer(nnUNetTrainerV2_ClDice, plans, ClDiceOptions(weight=0.0))
    scores, targets = outputs()
    stock = weighed(DC_and_CE_loss(DICE, {}), scores, targets)
    assert made.loss(scores, targets).item() == pytest.approx(stock, rel=1e-5)


@pytest.mark.parametrize(("epoch", "alpha"), [(0, 0.25), (1, 0.5), (2, 0.6), (40, 0.6)])
def test_the_boundary_losss_factor_grows(plans: Path, epoch: int, alpha: float) -> None:
    options = BoundaryOptions(growth=0.25, weight=0.6)
    made = trainer(nnUNetTrainerV2_Boundary, plans, options)
    made.epoch = epoch
    scores, targets = outputs()
    stock = weighed(DC_and_CE_loss(DICE, {}), scores, targets)
    boundary = weighed(BoundaryLoss(lambda: 1.0), scores, targets)
    assert abs(boundary) > 1e-3
    assert made.loss(scores, targets).item() == pytest.approx(stock + alpha * boundary, rel=1e-5)


def test_focal_tversky_replaces_it(plans: Path) -> None:
    options = FocalTverskyOptions(alpha=0.6, beta=0.2, gamma=2.0, ce_weight=0.5)
    made = trainer(nnUNetTrainerV2_FocalTversky, plans, options)
    scores, targets = outputs()
    tversky = weighed(FocalTverskyLoss(0.6, 0.2, 2.0, True), scores, targets)
    entropy = weighed(
        lambda s, t: torch.nn.functional.cross_entropy(s, t[:, 0].long()), scores, targets
    )
    assert made.loss(scores, targets).item() == pytest.approx(tversky + 0.5 * entropy, rel=1e-5)


def test_dice_and_topk_with_k(plans: Path) -> None:
    made = trainer(nnUNetTrainerV2_DiceTopK, plans, TopKOptions(k=25.0))
    scores, targets = outputs()
    stock = weighed(DC_and_topk_loss(DICE, {"k": 25}), scores, targets)
    assert made.loss(scores, targets).item() == pytest.approx(stock, rel=1e-5)


def test_initializing_twice_keeps_the_loss(plans: Path) -> None:
    made = trainer(nnUNetTrainerV2_ClDice, plans, ClDiceOptions())
    loss = made.loss
    made.initialize(False)
    assert made.loss is loss
