"""Dice, Hausdorff distance and volume against computations from their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from nnplug.data.metrics import score


def surface_points(mask: Any, spacing: tuple[float, ...]) -> Any:
    """Physical places of the voxels with at least one of six neighbours outside."""
    padded = np.pad(mask, 1)
    inside = padded.copy()
    for axis in range(3):
        inside &= np.roll(padded, 1, axis) & np.roll(padded, -1, axis)
    return (np.argwhere(padded & ~inside) - 1) * np.asarray(spacing)


def hausdorff95(one: Any, other: Any, spacing: tuple[float, ...]) -> float:
    apart = cdist(surface_points(one, spacing), surface_points(other, spacing))
    return float(np.percentile(np.concatenate([apart.min(1), apart.min(0)]), 95))


def blob(seed: int, shape: tuple[int, ...] = (9, 11, 10)) -> Any:
    rng = np.random.default_rng(seed)
    centre = rng.uniform(2, 7, 3)
    distance = np.linalg.norm(np.stack(np.indices(shape), -1) - centre, axis=-1)
    return (distance < rng.uniform(2, 4)) | (rng.random(shape) < 0.01)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 0.7, 1.3)])
@pytest.mark.parametrize("seed", range(4))
def test_figures_agree_with_their_definitions(seed: int, spacing: tuple[float, ...]) -> None:
    one, other = blob(seed), blob(seed + 100)
    found = score(one, other, (spacing[0], spacing[1], spacing[2]), 2.0)
    a, b = set(map(tuple, np.argwhere(one))), set(map(tuple, np.argwhere(other)))
    assert found.dice == pytest.approx(2 * len(a & b) / (len(a) + len(b)))
    assert found.hd95_mm == pytest.approx(hausdorff95(one, other, spacing))
    assert found.volume_difference_ml == pytest.approx((len(b) - len(a)) * np.prod(spacing) / 1000)
    assert (found.reference_voxels, found.prediction_voxels) == (len(a), len(b))


def test_masks_at_the_border_keep_their_surface() -> None:
    one, other = np.ones((4, 5, 6), bool), np.zeros((4, 5, 6), bool)
    other[0, 0, 0] = True
    spacing = (3.0, 1.0, 2.0)
    assert score(one, other, spacing, 2.0).hd95_mm == pytest.approx(
        hausdorff95(one, other, spacing)
    )


def test_equal_masks_agree_wholly() -> None:
    found = score(blob(1), blob(1), (1, 1, 1), 2.0)
    assert (found.dice, found.hd95_mm, found.volume_difference_ml) == (1, 0, 0)


def test_a_label_in_neither_is_nan() -> None:
    empty = np.zeros((3, 3, 3), bool)
    found = score(empty, empty, (1, 1, 1), 2.0)
    assert all(map(math.isnan, (found.dice, found.hd95_mm, found.volume_difference_ml)))


@pytest.mark.parametrize("swapped", [False, True])
def test_a_label_in_one_of_them_has_dice_zero_and_no_distance(swapped: bool) -> None:
    pair = [np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)]
    found = score(*(reversed(pair) if swapped else pair), (1, 1, 2), 2.0)
    assert found.dice == 0
    assert math.isnan(found.hd95_mm)
    assert found.volume_difference_ml == pytest.approx(-0.054 if swapped else 0.054)
