"""Contours to masks, against areas that are known and other people's point-in-polygon tests."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import points_in_poly

from nnplug_dicom.labels.contours import fill


def square(low: float, high: float) -> np.ndarray:
    return np.array([(low, low), (high, low), (high, high), (low, high)])


def centres(shape: tuple[int, int]) -> np.ndarray:
    return np.stack(np.indices(shape)[::-1], axis=-1).reshape(-1, 2)


@pytest.mark.parametrize("seed", range(20))
def test_random_stars_equal_an_independent_test_of_each_centre(seed):
    random = np.random.default_rng(seed)
    shape, contours, expected = (31, 47), [], np.zeros((31, 47), bool)
    for _ in range(random.integers(1, 4)):
        angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 60)))
        radii = random.uniform(2, 25, len(angles))
        middle = random.uniform(0, 40, 2)
        contours.append(middle + (radii * np.array([np.cos(angles), np.sin(angles)])).T)
        expected ^= points_in_poly(centres(shape), contours[-1]).reshape(shape)
    np.testing.assert_array_equal(fill(contours, shape), expected)


def test_a_contour_within_another_is_a_hole_and_one_in_that_an_island():
    rings = [square(0.5, 20.5), square(4.5, 16.5), square(8.5, 12.5)]
    mask = fill(rings, (24, 24))
    assert mask.sum() == 20**2 - 12**2 + 4**2
    assert not mask[6, 10]
    assert mask[10, 10]


def keyhole(at: float, width: float) -> np.ndarray:
    """Round a square, through a channel at x = ``at``, round the hole, and back."""
    outer, inner = square(0.5, 20.5), square(4.5, 16.5)[[0, 3, 2, 1]]
    entry = [(at, 0.5), (at, 4.5)]
    back = [(at + width, 4.5), (at + width, 0.5)]
    return np.concatenate([outer[:1], entry, inner, back, outer[1:]])


@pytest.mark.parametrize("width", [0.0, 1e-9, 0.2])
@pytest.mark.parametrize("at", [10.3, 10.0, 9.7])
def test_a_keyhole_is_the_ring_that_its_channel_leads_into(at, width):
    ring = fill([square(0.5, 20.5), square(4.5, 16.5)], (24, 24))
    np.testing.assert_array_equal(fill([keyhole(at, width)], (24, 24)), ring)


def test_a_channel_as_wide_as_a_pixel_cuts_the_ring():
    ring = fill([square(0.5, 20.5), square(4.5, 16.5)], (24, 24))
    cut = ring & ~fill([keyhole(9.5, 1.0)], (24, 24))
    assert np.argwhere(cut).tolist() == [[1, 10], [2, 10], [3, 10], [4, 10]]


def test_centres_on_a_contour_belong_to_it():
    # A mask of 6 x 6 pixels with a hole of 2 x 2, as programs trace it through pixel centres.
    mask = fill([square(2, 7), square(3, 6)], (10, 10))
    expected = np.zeros((10, 10), bool)
    expected[2:8, 2:8] = True
    expected[4:6, 4:6] = False
    np.testing.assert_array_equal(mask, expected)


def test_a_diamond_through_centres_has_its_corners():
    diamond = np.array([(5, 1), (9, 5), (5, 9), (1, 5)], float)
    y, x = np.indices((11, 11))
    np.testing.assert_array_equal(fill([diamond], (11, 11)), abs(x - 5) + abs(y - 5) <= 4)


def test_a_triangle_through_centres_has_its_corners():
    for turn in range(4):
        expected = np.rot90(np.tri(11, dtype=bool), turn)
        corners = np.argwhere(expected & (np.rot90(np.eye(11, dtype=bool), turn)))[[0, -1]]
        third = {0: (10, 0), 1: (10, 10), 2: (0, 10), 3: (0, 0)}[turn]
        contour = np.array([*corners, third], float)[:, ::-1]
        np.testing.assert_array_equal(fill([contour], (11, 11)), expected)


def test_direction_start_and_repeated_points_make_no_difference():
    star = np.random.default_rng(0).uniform(0, 20, (12, 2))
    expected = fill([star], (20, 20))
    for same in (star[::-1], np.roll(star, 5, axis=0), np.repeat(star, 2, axis=0)):
        np.testing.assert_array_equal(fill([same], (20, 20)), expected)


def test_what_lies_outside_is_cut_off():
    assert fill([square(-1e9, 1e9)], (4, 5)).all()
    assert not fill([square(50, 60)], (4, 5)).any()
    assert not fill([square(-60, -50)], (4, 5)).any()


def test_very_many_points_need_little_memory():
    angles = np.linspace(0, 2 * np.pi, 50_000, endpoint=False)
    spikes = (
        100
        + np.array([np.cos(angles), np.sin(angles)]).T
        * np.where(np.arange(len(angles)) % 2, 99, 50)[:, None]
    )
    assert fill([spikes], (200, 200)).sum() > np.pi * 49**2
