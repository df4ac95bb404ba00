"""Parts and holes of labels; SciPy counts and fills them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from nnplug_labels.components import LargestComponentRemapper, MinimumVolumeRemapper
from nnplug_labels.holes import FillHolesRemapper
from nnplug_labels.options import (
    FillHolesOptions,
    LargestComponentOptions,
    MinimumVolumeOptions,
)

SPACING = (2.0, 1.0, 1.0)


def pruned(label: Any, labels: list[int] | None = None, connectivity: Any = 26) -> Any:
    before = label.copy()
    label.flags.writeable = False
    made = LargestComponentRemapper(LargestComponentOptions(labels, connectivity))
    after = made.apply(label, SPACING)
    np.testing.assert_array_equal(label, before)
    assert after.dtype == label.dtype
    return after


@pytest.mark.parametrize("connectivity", [6, 26])
@pytest.mark.parametrize("seed", range(5))
def test_what_stays_is_the_largest_part(seed: int, connectivity: int) -> None:
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(12, 14, 16)), 0.8)
    label = np.digitize(noise, [0.1, 0.35]).astype(np.int16)
    after = pruned(label, connectivity=connectivity)
    touching = ndimage.generate_binary_structure(3, 1 if connectivity == 6 else 3)
    for value in (1, 2):
        parts, number = ndimage.label(label == value, touching)
        sizes = np.bincount(parts.ravel())[1:]
        assert number > 1
        assert np.count_nonzero(after == value) == sizes.max()
        assert ndimage.label(after == value, touching)[1] == 1
        assert not np.any((after == value) & (label != value))
    assert set(np.unique(after[after != label]).tolist()) == {0}


def test_other_labels_are_left_alone() -> None:
    label = np.zeros((3, 3, 9), np.uint8)
    label[1, 1, [0, 1, 4]] = 1
    label[1, 1, [6, 8]] = 2
    after = pruned(label, labels=[1, 5])
    assert after[1, 1].tolist() == [1, 1, 0, 0, 0, 0, 2, 0, 2]


def test_corners_join_parts_only_if_they_count() -> None:
    label = np.zeros((2, 2, 3), np.uint8)
    label[0, 0, 0] = label[1, 1, 1] = label[1, 1, 2] = 1
    assert np.count_nonzero(pruned(label.copy())) == 3
    assert np.count_nonzero(pruned(label.copy(), connectivity=6)) == 2


def test_an_empty_label_stays_empty() -> None:
    assert not pruned(np.zeros((2, 3, 4), np.uint8)).any()


def noise(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.normal(size=(12, 14, 16)), 0.8)


@pytest.mark.parametrize("seed", range(3))
def test_parts_below_a_volume_are_dropped(seed: int) -> None:
    label = np.digitize(noise(seed), [0.1, 0.35]).astype(np.uint8)
    after = MinimumVolumeRemapper(MinimumVolumeOptions(mm3=12, connectivity=6)).apply(
        label, SPACING
    )
    for value in (1, 2):
        parts, number = ndimage.label(label == value)
        volumes = ndimage.sum_labels(np.full(label.shape, 2.0), parts, range(1, number + 1))
        wanted = np.isin(parts, 1 + np.flatnonzero(volumes >= 12))
        assert 0 < wanted.sum() < (label == value).sum()
        np.testing.assert_array_equal(after == value, wanted)


@pytest.mark.parametrize("seed", range(3))
def test_holes_are_filled_and_other_labels_kept(seed: int) -> None:
    label = (noise(seed) > -0.25).astype(np.uint8)
    after = FillHolesRemapper(FillHolesOptions()).apply(label, SPACING)
    assert after.sum() > label.sum()
    np.testing.assert_array_equal(after == 1, ndimage.binary_fill_holes(label))
    ball = np.zeros((7, 7, 7), np.uint8)
    ball[1:6, 1:6, 1:6], ball[2:5, 2:5, 2:5], ball[3, 3, 3] = 1, 0, 2
    filled = FillHolesRemapper(FillHolesOptions([1])).apply(ball, SPACING)
    assert filled[3, 3, 3] == 2
    assert (filled == 1).sum() == 124


@pytest.mark.parametrize("mm3", [0, -1, float("inf"), float("nan")])
def test_a_volume_that_is_none_is_refused(mm3: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        MinimumVolumeOptions(mm3)
