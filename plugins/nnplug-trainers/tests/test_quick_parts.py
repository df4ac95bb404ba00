"""The parts of the quick recipe by themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnplug_trainers.muon import MuonAdamW, orthogonalised
from nnplug_trainers.patch import capped


@pytest.mark.parametrize("shape", [(16, 432), (64, 27), (32, 32)])
def test_the_update_has_nearly_equal_singular_values(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape) * torch.logspace(0, -1, shape[1])
    values = torch.linalg.svdvals(orthogonalised(matrix))
    assert 0.5 < values.min() <= values.max() < 1.3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    exact = left @ right
    cosine = (orthogonalised(matrix) * exact).sum() / exact.norm() / values.norm()
    assert cosine > 0.95


def test_kernels_and_the_rest_both_learn_and_resume() -> None:
    def fit(steps: int, state: tuple[dict, dict] | None = None) -> tuple[float, tuple[dict, dict]]:
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Conv3d(2, 4, 3, padding=1), torch.nn.Conv3d(4, 1, 1))
        biases = {"params": [p for p in network.parameters() if p.ndim == 1], "weight_decay": 0.0}
        kernels = [p for p in network.parameters() if p.ndim > 1]
        optimizer = MuonAdamW(kernels, [biases], lr=0.05, weight_decay=0.0)
        if state is not None:
            network.load_state_dict(state[0])
            optimizer.load_state_dict(state[1])
        data = torch.randn(2, 2, 6, 6, 6)
        wanted = 3 * data[:, :1] + 1
        for _ in range(steps):
            optimizer.zero_grad()
            loss = ((network(data) - wanted) ** 2).mean()
            loss.backward()
            optimizer.step()
        return loss.item(), (network.state_dict(), optimizer.state_dict())

    early, state = fit(20)
    late, _ = fit(40)
    resumed, _ = fit(20, state)
    assert late < 0.5 * early
    assert resumed == pytest.approx(late, rel=1e-4)


@pytest.mark.parametrize(
    ("patch", "pools", "voxels"),
    [
        ([40, 56, 40], [[2, 2, 2]] * 3, 50_000),
        ([28, 256, 256], [[1, 2, 2], [1, 2, 2], [2, 2, 2], [2, 2, 2]], 50_000),
        ([320, 256], [[2, 2]] * 6, 20_000),
        ([16, 16, 16], [[2, 2, 2]] * 3, 10),
    ],
)
def test_a_capped_patch_fits_the_network(
    patch: list[int], pools: list[list[int]], voxels: int
) -> None:
    steps = np.prod(pools, axis=0)
    patch = [int(-(-edge // step) * step) for edge, step in zip(patch, steps, strict=True)]
    edges = capped(patch, pools, voxels)
    assert all(edge % step == 0 for edge, step in zip(edges, steps, strict=True))
    assert all(edge >= min(2 * step, p) for edge, step, p in zip(edges, steps, patch, strict=True))
    shrinkable = any(edge - step >= 2 * step for edge, step in zip(edges, steps, strict=True))
    assert edges.prod() <= voxels or not shrinkable


def test_a_small_patch_stays_as_planned() -> None:
    assert capped([32, 48, 32], [[2, 2, 2]] * 3, 50_000).tolist() == [32, 48, 32]
