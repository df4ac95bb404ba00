"""The boundary loss against scipy's distances, and what the loss is for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from nnplug_losses.boundary import BoundaryLoss, signed_distance


def one() -> float:
    return 1.0


def blobs(shape: tuple[int, ...], seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.normal(size=shape), 2) > 0.05


def phi(mask: Any) -> Any:
    """The level set of the paper, with scipy's distances."""
    outside = ndimage.distance_transform_edt(~mask)
    return np.where(mask, 1 - ndimage.distance_transform_edt(mask), outside)


def logits(mask: Any, sharp: float = 40.0) -> torch.Tensor:
    """Scores (1, 2, y, x) whose softmax is nearly the mask."""
    foreground = torch.as_tensor(mask, dtype=torch.float64)[None, None] * 2 - 1
    return torch.cat([-foreground, foreground], 1) * sharp / 2


@pytest.mark.parametrize("shape", [(31, 1), (23, 40), (9, 24, 17)])
def test_distances_are_scipys(shape: tuple[int, ...]) -> None:
    masks = np.stack([blobs(shape, seed) for seed in range(4)])
    lone = np.zeros_like(masks[:1])
    lone.flat[3] = True
    masks = np.concatenate([masks, lone, ~lone])
    assert all(0 < mask.sum() < mask.size for mask in masks)
    found = signed_distance(torch.from_numpy(masks)).numpy()
    np.testing.assert_allclose(found, np.stack([phi(mask) for mask in masks]), rtol=1e-6)


def test_without_a_boundary_there_is_no_distance() -> None:
    masks = torch.stack([torch.zeros(5, 6), torch.ones(5, 6)]).bool()
    assert not signed_distance(masks).any()
    scores = torch.randn(2, 2, 5, 6)
    assert BoundaryLoss(one)(scores, masks[:, None].float()).item() == 0


@pytest.mark.parametrize("shape", [(11, 13), (6, 7, 8)])
def test_the_loss_equals_the_formula(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(2, 3, *shape)) * 2
    target = rng.integers(0, 3, (2, 1, *shape))
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    terms = [phi(target[b, 0] == c) * chances[b, c] for b in range(2) for c in (1, 2)]
    loss = BoundaryLoss(lambda: 0.3)(torch.from_numpy(scores), torch.from_numpy(target))
    assert loss.item() == pytest.approx(0.3 * np.mean(terms), rel=1e-6)


def test_a_false_alarm_far_away_costs_more_than_one_of_the_same_size_near_by() -> None:
    mask = np.zeros((40, 40), bool)
    mask[5:12, 5:12] = True
    near, far = mask.copy(), mask.copy()
    near[12:14, 5:12] = True
    far[36:38, 30:37] = True
    target = torch.from_numpy(mask[None, None].astype(np.int64))
    loss = BoundaryLoss(one)
    right, by, away = (loss(logits(found), target).item() for found in (mask, near, far))
    assert right < by < away
    assert (away - right) / (by - right) > 10


@pytest.mark.parametrize("shape", [(5, 6), (3, 4, 5)])
def test_its_gradient_is_right(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(1, 3, *shape, dtype=torch.float64, generator=generator)
    target = torch.randint(0, 3, (1, 1, *shape), generator=generator)
    loss = BoundaryLoss(one)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), scores.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_in_gives_full_precision_out(dtype: torch.dtype) -> None:
    scores = torch.randn(1, 2, 16, 32, 32).to(dtype).requires_grad_()
    target = torch.from_numpy(blobs((16, 32, 32), 0)[None, None]).float()
    loss = BoundaryLoss(one)
    found = loss(scores, target)
    found.backward()
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(loss(scores.double(), target).item(), rel=1e-4)
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
