"""The soft skeleton and clDice against morphology in scipy, and what the loss is for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.morphology import skeletonize

from nnplug_losses.cldice import SoftClDiceLoss, soft_skeleton


def lantuejoul(mask: Any, steps: int) -> Any:
    """The union of what opening removes from each erosion (Lantuejoul's formula), by sets."""
    cross = ndimage.generate_binary_structure(mask.ndim, 1)
    box = ndimage.generate_binary_structure(mask.ndim, mask.ndim)
    found = np.zeros_like(mask)
    for step in range(steps + 1):
        eroded = mask
        for _ in range(step):
            eroded = ndimage.binary_erosion(eroded, cross, border_value=1)
        once_more = ndimage.binary_erosion(eroded, cross, border_value=1)
        found |= eroded & ~ndimage.binary_dilation(once_more, box)
    return found


def grey_skeleton(image: Any, steps: int) -> Any:
    cross = ndimage.generate_binary_structure(image.ndim, 1)
    left = np.ones_like(image)  # what is not yet skeleton
    for _ in range(steps + 1):
        eroded = ndimage.grey_erosion(image, footprint=cross, mode="nearest")
        opened = ndimage.grey_dilation(eroded, size=(3,) * image.ndim, mode="nearest")
        left = left * (1 - np.maximum(image - opened, 0))
        image = eroded
    return 1 - left


def tube(radius: int) -> Any:
    """A bent tube in 40 x 40 voxels (2D)."""
    spine = np.zeros((40, 40), bool)
    spine[8, 8:30] = spine[8:30, 30] = True
    return ndimage.distance_transform_edt(~spine) <= radius


def logits(foreground: Any, sharp: float = 20.0) -> torch.Tensor:
    """Scores (1, 2, y, x) whose softmax is nearly the mask."""
    one = torch.as_tensor(foreground, dtype=torch.float64)[None, None] * 2 - 1
    return torch.cat([-one, one], 1) * sharp / 2


@pytest.mark.parametrize("shape", [(17, 23), (9, 12, 14)])
def test_of_a_mask_it_is_the_morphological_skeleton(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    mask = ndimage.gaussian_filter(rng.normal(size=shape), 1.5) > 0
    found = soft_skeleton(torch.from_numpy(mask[None, None].astype(np.float32)), 4)[0, 0]
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert (found.numpy().astype(bool) == lantuejoul(mask, 4)).all()


@pytest.mark.parametrize("radius", [2, 4])
def test_it_runs_where_a_thinning_algorithm_puts_the_centreline(radius: int) -> None:
    mask = tube(radius)
    soft = soft_skeleton(torch.from_numpy(mask[None, None].astype(np.float32)), 6)[0, 0].numpy()
    thin = skeletonize(mask)
    assert thin.sum() > 30
    assert ndimage.distance_transform_edt(soft <= 0.5)[thin].max() <= 1.5
    assert (soft > 0.5).sum() < 0.5 * mask.sum()


@pytest.mark.parametrize("batch_dice", [True, False])
@pytest.mark.parametrize("shape", [(11, 13), (6, 7, 8)])
def test_loss_equals_the_formula(shape: tuple[int, ...], batch_dice: bool) -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(2, 3, *shape)) * 2
    target = rng.integers(0, 3, (2, 1, *shape))
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    sums = np.zeros((4, 2, 2))
    for sample in range(2):
        for label in (1, 2):
            reference = (target[sample, 0] == label).astype(float)
            chance = chances[sample, label]
            of_chance, of_reference = grey_skeleton(chance, 3), grey_skeleton(reference, 3)
            sums[:, sample, label - 1] = (
                (of_chance * reference).sum(),
                of_chance.sum(),
                (of_reference * chance).sum(),
                of_reference.sum(),
            )
    if batch_dice:
        sums = sums.sum(1, keepdims=True)
    precision = (sums[0] + 1) / (sums[1] + 1)
    sensitivity = (sums[2] + 1) / (sums[3] + 1)
    wanted = 1 - (2 / (1 / precision + 1 / sensitivity)).mean()
    loss = SoftClDiceLoss(3, batch_dice)(torch.from_numpy(scores), torch.from_numpy(target))
    assert loss.item() == pytest.approx(wanted, rel=1e-9)


def test_a_gap_costs_more_than_a_thinner_tube_of_the_same_volume() -> None:
    """Where Dice sees no difference, or the opposite one."""
    mask = tube(2)
    gap = mask.copy()
    gap[:, 14:20] = False
    shell = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    thin = mask.copy()
    removed = shell[:: len(shell) // int((mask & ~gap).sum()) or 1][: int((mask & ~gap).sum())]
    thin[tuple(removed.T)] = False
    assert thin.sum() == gap.sum()
    target = torch.from_numpy(mask[None, None].astype(np.int64))
    loss = SoftClDiceLoss(5, True)
    whole, thinner, broken = (loss(logits(m), target).item() for m in (mask, thin, gap))
    assert whole == pytest.approx(0, abs=1e-3)
    assert broken > 1.5 * thinner


def test_an_absent_class_that_is_not_predicted_costs_nothing() -> None:
    nothing = np.zeros((12, 12), bool)
    target = torch.zeros(1, 1, 12, 12)
    assert SoftClDiceLoss(3, True)(logits(nothing), target).item() == pytest.approx(0, abs=1e-5)
    full = SoftClDiceLoss(3, True)(logits(~nothing), target).item()
    assert full >= 0


@pytest.mark.parametrize("shape", [(5, 6), (3, 4, 5)])
def test_its_gradient_is_right(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(1, 2, *shape, dtype=torch.float64, generator=generator)
    target = torch.randint(0, 2, (1, 1, *shape), generator=generator)
    loss = SoftClDiceLoss(2, False)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), scores.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_in_gives_full_precision_out(dtype: torch.dtype) -> None:
    scores = torch.randn(1, 2, 32, 64, 64).to(dtype).requires_grad_()
    target = (torch.rand(1, 1, 32, 64, 64) > 0.5).float()
    loss = SoftClDiceLoss(3, True)
    found = loss(scores, target)
    found.backward()
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(loss(scores.double(), target).item(), rel=1e-4)
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
