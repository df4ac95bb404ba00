"""The remapper ``largest_component``."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug_labels.options import LargestComponentOptions


class LargestComponentRemapper:
    """Of each label only the part with most voxels stays; the others become background.

    Of parts of equal size the one stays that comes first in the order z, y, x.
    """

    def __init__(self, options: LargestComponentOptions) -> None:
        self._labels = options.labels
        self._corners = options.connectivity == 26

    def apply(
        self, label: NDArray[np.integer[Any]], spacing: tuple[float, float, float]
    ) -> NDArray[np.integer[Any]]:
        """A new array (z, y, x) of the same values; ``spacing`` doesn't matter."""
        result = label.copy()
        chosen = self._labels
        if chosen is None:
            chosen = sorted({value for plane in label for value in np.unique(plane).tolist()})
        for value in chosen:
            if value != 0:
                self._prune(result, value)
        return result

    def _prune(self, label: NDArray[np.integer[Any]], value: int) -> None:
        box = _box(label, value)
        if box is None:
            return
        mask = (label[box] == value).astype(np.uint8)
        found = sitk.ConnectedComponent(sitk.GetImageFromArray(mask), self._corners)
        parts = sitk.GetArrayViewFromImage(found)
        sizes = np.zeros(int(parts.max()) + 1, np.int64)
        for plane in parts:
            sizes += np.bincount(plane.ravel(), minlength=len(sizes))
        largest = int(sizes[1:].argmax()) + 1
        label[box][(parts != largest) & (mask == 1)] = 0


def _box(label: NDArray[np.integer[Any]], value: int) -> tuple[slice, ...] | None:
    """The smallest box (z, y, x) that holds all voxels of a value."""
    planes = [z for z, plane in enumerate(label) if (plane == value).any()]
    if not planes:
        return None
    seen = np.zeros(label.shape[1:], bool)
    for z in planes:
        seen |= label[z] == value
    sides = (np.flatnonzero(seen.any(axis=axis)).tolist() for axis in (1, 0))
    return tuple(slice(side[0], side[-1] + 1) for side in (planes, *sides))
