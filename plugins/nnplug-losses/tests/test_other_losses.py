"""Focal Tversky and Dice with top-k cross-entropy, against loops and nnU-Net's own losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from nnunet.training.loss_functions.dice_loss import DC_and_CE_loss, DC_and_topk_loss, SoftDiceLoss
from nnunet.utilities.nd_softmax import softmax_helper

from nnplug_losses.topk import DiceTopKLoss
from nnplug_losses.tversky import FocalTverskyLoss

DICE: dict[str, Any] = {"batch_dice": True, "smooth": 1e-5, "do_bg": False}


def sample(shape: tuple[int, ...] = (5, 6, 7), classes: int = 3) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(2, classes, *shape, dtype=torch.float64, generator=generator)
    return scores, torch.randint(0, classes, (2, 1, *shape), generator=generator).double()


@pytest.mark.parametrize("batch_dice", [True, False])
@pytest.mark.parametrize("shape", [(5, 6, 7), (8, 9)])
def test_focal_tversky_voxel_by_voxel(shape: tuple[int, ...], batch_dice: bool) -> None:
    scores, target = sample(shape)
    flat, labels = scores.flatten(2).numpy(), target.flatten(2).numpy().astype(int)
    counts: dict[tuple[int, int], list[float]] = {}
    for b in range(2):
        for voxel in range(flat.shape[2]):
            powers = [np.e ** flat[b, c, voxel] for c in range(3)]
            for c in (1, 2):
                chance, true = powers[c] / sum(powers), labels[b, 0, voxel] == c
                kept = counts.setdefault((0 if batch_dice else b, c), [0.0, 0.0, 0.0])
                kept[0] += chance if true else 0
                kept[1] += 1 - chance if true else 0
                kept[2] += 0 if true else chance
    indices = [hit / (hit + 0.6 * miss + 0.3 * alarm) for hit, miss, alarm in counts.values()]
    wanted = sum((1 - index) ** (1 / 1.5) for index in indices) / len(indices)
    found = FocalTverskyLoss(0.6, 0.3, 1.5, batch_dice)(scores, target)
    assert found.item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("batch_dice", [True, False])
def test_with_equal_weights_and_without_focus_it_is_nnunets_dice(batch_dice: bool) -> None:
    scores, target = sample()
    found = FocalTverskyLoss(0.5, 0.5, 1.0, batch_dice)(scores, target)
    dice = SoftDiceLoss(softmax_helper, **{**DICE, "batch_dice": batch_dice})(scores, target)
    assert found.item() == pytest.approx(1 + dice.item(), abs=1e-6)


def test_a_miss_costs_what_alpha_says() -> None:
    target = torch.zeros(1, 1, 10, 10)
    target[..., 4:6] = 1
    missed, alarmed = target.clone(), target.clone()
    missed[..., 4], alarmed[..., 6] = 0, 1
    losses = {}
    for name, mask in (("miss", missed), ("alarm", alarmed)):
        scores = torch.cat([1 - mask, mask], 1) * 30
        losses[name] = FocalTverskyLoss(0.9, 0.1, 4 / 3, True)(scores, target).item()
    assert losses["miss"] > 2 * losses["alarm"]


def test_a_perfect_segmentation_has_a_finite_gradient() -> None:
    target = torch.zeros(1, 1, 8, 8)
    target[..., 2:5, 2:5] = 1
    scores = (torch.cat([1 - target, target], 1) * 1000).requires_grad_()
    FocalTverskyLoss(0.7, 0.3, 4 / 3, True)(scores, target).backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_gradients_of_focal_tversky() -> None:
    scores, target = sample((3, 4))
    loss = FocalTverskyLoss(0.7, 0.3, 4 / 3, True)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), scores.requires_grad_())


def test_top_ten_is_nnunets_loss() -> None:
    scores, target = sample((10, 10, 10))
    stock = DC_and_topk_loss(DICE, {"k": 10})(scores, target)
    assert DiceTopKLoss(DICE, 10.0)(scores, target).item() == pytest.approx(stock.item())


def test_all_voxels_give_nnunets_dice_and_cross_entropy() -> None:
    scores, target = sample()
    stock = DC_and_CE_loss(DICE, {})(scores, target)
    assert DiceTopKLoss(DICE, 100.0)(scores, target).item() == pytest.approx(stock.item())


def test_an_output_of_few_voxels_has_its_hardest_one() -> None:
    scores, target = sample((2, 2))
    chances = np.exp(scores.numpy())
    chances /= chances.sum(1, keepdims=True)
    right = np.take_along_axis(chances, target.numpy().astype(int), 1)
    wanted = -np.log(right.min()) + SoftDiceLoss(softmax_helper, **DICE)(scores, target).item()
    assert not np.isfinite(DC_and_topk_loss(DICE, {"k": 5})(scores, target).item())
    assert DiceTopKLoss(DICE, 5.0)(scores, target).item() == pytest.approx(wanted)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    "loss", [FocalTverskyLoss(0.7, 0.3, 4 / 3, True), DiceTopKLoss(DICE, 10.0)]
)
def test_half_precision_in_gives_full_precision_out(loss: Any, dtype: torch.dtype) -> None:
    scores = torch.randn(1, 3, 48, 64, 64).to(dtype).requires_grad_()
    target = torch.randint(0, 3, (1, 1, 48, 64, 64)).float()
    found = loss(scores, target)
    found.backward()
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(loss(scores.double(), target).item(), rel=1e-4)
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
