"""Outlines of masks, asked by scikit-image which pixel centres they enclose."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import points_in_poly

from nnplug_dicom.labels.contours import fill
from nnplug_dicom.writing.outlines import outlines

RING = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1],
        [1, 0, 0, 0, 1, 0, 1],
        [1, 0, 1, 0, 1, 1, 1],
        [1, 0, 0, 0, 1, 0, 0],
        [1, 1, 1, 1, 1, 1, 1],
        [0, 0, 0, 0, 0, 0, 1],
    ],
    bool,
)


def inside(polygons, shape):
    """Centres by the even-odd rule; a little aside, as those on a channel are on an edge."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    centres = np.stack([x.ravel() + 0.01, y.ravel() + 0.013], axis=1)
    found = np.zeros(len(centres), bool)
    for polygon in polygons:
        found ^= points_in_poly(centres, polygon)
    return found.reshape(shape)


def masks():
    rng = np.random.default_rng(1)
    yield RING
    yield ~RING
    for size, part in [(2, 0.5), (7, 0.2), (9, 0.5), (12, 0.8), (40, 0.6), (40, 0.93)]:
        for _ in range(5):
            yield rng.random((size, size + 3)) < part


@pytest.mark.parametrize("mask", list(masks()), ids=lambda mask: f"{mask.shape}")
def test_exactly_the_mask_is_inside(mask):
    polygons = list(outlines(mask))
    np.testing.assert_array_equal(inside(polygons, mask.shape), mask)
    np.testing.assert_array_equal(fill(polygons or [np.zeros((3, 2)) - 5], mask.shape), mask)


def test_holes_and_parts_have_one_polygon_each():
    assert len(list(outlines(RING))) == 2
    (square,) = outlines(np.ones((30, 40), bool))
    assert len(square) == 8, "only corners are points"
    assert not list(outlines(np.zeros((3, 3), bool)))


def test_the_area_is_that_of_the_pixels_but_for_the_corners():
    (square,) = outlines(np.ones((30, 40), bool))
    x, y = square.T
    assert abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2 == pytest.approx(30 * 40 - 0.5)
