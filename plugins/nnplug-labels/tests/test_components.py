"""Only the largest connected part of a label stays; SciPy counts the parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from nnplug_labels.components import LargestComponentRemapper
from nnplug_labels.options import LargestComponentOptions

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
