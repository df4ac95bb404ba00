"""Surface Dice and average distance against figures that geometry gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnplug.data.metrics import score
from nnplug.data.surfaces import average_distance, surface_dice, surfaces

SPACING = (2.0, 0.5, 1.0)


def box(shape: tuple[int, ...], *ranges: tuple[int, int]) -> Any:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(*each) for each in ranges)] = True
    return mask


def ball(radius: float, spacing: tuple[float, float, float], reach: float = 24) -> Any:
    axes = [np.arange(-reach, reach + step / 2, step) for step in spacing]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return z**2 + y**2 + x**2 <= radius**2


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("steps", [1, 3])
def test_a_slab_that_fills_the_image_moves_by_whole_voxels(axis: int, steps: int) -> None:
    """All of both surfaces but the rims at the image's border is ``steps`` voxels away."""
    shape = [30, 30, 30]
    shape[axis] = 40
    one, other = np.zeros(shape, bool), np.zeros(shape, bool)
    np.moveaxis(one, axis, 0)[10:20] = True
    np.moveaxis(other, axis, 0)[10 + steps : 20 + steps] = True
    pair = surfaces(one, other, SPACING)
    inner = [each.distances[each.distances > 0] for each in pair]
    assert np.median(np.concatenate(inner)) == pytest.approx(steps * SPACING[axis])
    assert surface_dice(pair, steps * SPACING[axis]) == 1
    assert surface_dice(pair, 0.99 * steps * SPACING[axis]) < 0.8


def test_a_large_cube_has_the_area_of_its_faces() -> None:
    cube = box((64, 64, 64), (2, 62), (2, 62), (2, 62))
    one, _ = surfaces(cube, cube, SPACING)
    z, y, x = (60 * step for step in SPACING)
    assert one.areas.sum() == pytest.approx(2 * (z * y + y * x + z * x), rel=0.02)


def test_one_face_of_a_cube_moves() -> None:
    """Of both surfaces, the moved face and the strip beside it are out of a small tolerance;
    where it ends is known to a voxel."""
    one = box((40, 40, 60), (5, 35), (5, 35), (10, 40))
    other = box((40, 40, 60), (5, 35), (5, 35), (10, 50))
    near = surface_dice(surfaces(one, other, (1, 1, 1)), 1.0)
    far = 28 * 28 + 30 * 30 + 4 * 30 * 9  # what is left of the old face; new face; strips
    whole = 6 * 30 * 30 + (2 * 30 * 30 + 4 * 30 * 40)
    assert near == pytest.approx(1 - far / whole, abs=4 * 30 * 2 / whole)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 1.0, 0.5)])
def test_concentric_balls_are_apart_by_their_radii(spacing: tuple[float, float, float]) -> None:
    pair = surfaces(ball(16, spacing), ball(20, spacing), spacing)
    voxel = max(spacing)
    assert average_distance(pair) == pytest.approx(4, abs=voxel)
    assert surface_dice(pair, 4 + voxel) == 1
    assert surface_dice(pair, 4 - 1.5 * voxel) < 0.05
    areas = pair[0].areas.sum() / pair[1].areas.sum()
    assert areas == pytest.approx((16 / 20) ** 2, rel=0.02)


def test_a_tolerance_bears_the_rounding_of_spacings_in_headers() -> None:
    spacing = (1.0, 1.0, float(np.float32(0.8)))
    one = box((9, 9, 30), (0, 9), (0, 9), (5, 15))
    other = box((9, 9, 30), (0, 9), (0, 9), (8, 18))
    assert spacing[2] * 3 > 2.4
    assert surface_dice(surfaces(one, other, spacing), 2.4) == 1


def test_masks_are_scored_alike_wherever_they_lie_in_the_image() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.random((2, 6, 7, 8)) < 0.4
    whole = [np.pad(mask, ((9, 4), (0, 11), (5, 5))) for mask in (one, other)]
    assert score(whole[0], whole[1], SPACING, 1.0) == score(one, other, SPACING, 1.0)


@pytest.mark.parametrize("value", [True, False])
def test_a_single_voxel_has_a_surface(value: bool) -> None:
    mask = box((3, 3, 3), (1, 2), (1, 2), (1, 2))
    pair = surfaces(mask, mask if value else np.ones((3, 3, 3), bool), SPACING)
    assert surface_dice(pair, 0) == (1 if value else 0)
