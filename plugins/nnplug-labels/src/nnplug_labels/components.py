"""The remappers ``largest_component`` and ``minimum_volume``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug_labels.options import LargestComponentOptions, MinimumVolumeOptions

Labels = NDArray[np.integer[Any]]


class LargestComponentRemapper:
    """Of each label only the part with most voxels stays; the others become background.

    Of parts of equal size the one stays that comes first in the order z, y, x.
    """

    def __init__(self, options: LargestComponentOptions) -> None:
        self._labels = options.labels
        self._corners = options.connectivity == 26

    def apply(self, label: Labels, spacing: tuple[float, float, float]) -> Labels:
        """A new array (z, y, x) of the same values; ``spacing`` doesn't matter."""
        return _pruned(
            label,
            self._labels,
            self._corners,
            lambda sizes: np.arange(len(sizes)) == sizes.argmax(),
        )


class MinimumVolumeRemapper:
    """Parts of a label that are smaller than a volume become background."""

    def __init__(self, options: MinimumVolumeOptions) -> None:
        self._mm3 = options.mm3
        self._labels = options.labels
        self._corners = options.connectivity == 26

    def apply(self, label: Labels, spacing: tuple[float, float, float]) -> Labels:
        """A new array (z, y, x) of the same values; ``spacing`` is z, y, x in mm."""
        smallest = self._mm3 / math.prod(spacing)
        return _pruned(label, self._labels, self._corners, lambda sizes: sizes >= smallest)


def chosen(label: Labels, values: Sequence[int] | None) -> list[int]:
    """``values``, or every value of the label but 0."""
    if values is not None:
        return list(values)
    return sorted({value for plane in label for value in np.unique(plane).tolist()} - {0})


def _pruned(
    label: Labels,
    values: Sequence[int] | None,
    corners: bool,
    kept: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
) -> Labels:
    """Without the parts of each value whose sizes in voxels ``kept`` doesn't accept."""
    result = label.copy()
    for value in chosen(label, values):
        box = box_of(result, value)
        if box is None:
            continue
        mask = (result[box] == value).astype(np.uint8)
        found = sitk.ConnectedComponent(sitk.GetImageFromArray(mask), corners)
        parts = sitk.GetArrayViewFromImage(found)
        sizes = np.zeros(int(parts.max()) + 1, np.int64)
        for plane in parts:
            sizes += np.bincount(plane.ravel(), minlength=len(sizes))
        dropped = np.concatenate([[False], ~kept(sizes[1:])])
        result[box][dropped[parts]] = 0
    return result


def box_of(label: Labels, value: int) -> tuple[slice, ...] | None:
    """The smallest box (z, y, x) that holds all voxels of a value."""
    planes = [z for z, plane in enumerate(label) if (plane == value).any()]
    if not planes:
        return None
    seen = np.zeros(label.shape[1:], bool)
    for z in planes:
        seen |= label[z] == value
    sides = (np.flatnonzero(seen.any(axis=axis)).tolist() for axis in (1, 0))
    return tuple(slice(side[0], side[-1] + 1) for side in (planes, *sides))
