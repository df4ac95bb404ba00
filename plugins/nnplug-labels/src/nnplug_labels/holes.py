"""The remapper ``fill_holes``."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from nnplug_labels.components import Labels, box_of, chosen
from nnplug_labels.options import FillHolesOptions


class FillHolesRemapper:
    """Background that a label encloses on all sides becomes that label.

    Background reaches the outside through voxel faces; other labels stay what they are.
    """

    def __init__(self, options: FillHolesOptions) -> None:
        self._labels = options.labels

    def apply(self, label: Labels, spacing: tuple[float, float, float]) -> Labels:
        """A new array (z, y, x) of the same values; ``spacing`` doesn't matter."""
        result = label.copy()
        for value in chosen(label, self._labels):
            box = box_of(result, value)
            if box is not None:
                mask = sitk.GetImageFromArray((result[box] == value).astype(np.uint8))
                filled = sitk.GetArrayViewFromImage(sitk.BinaryFillhole(mask))
                result[box][(filled == 1) & (result[box] == 0)] = value
        return result
