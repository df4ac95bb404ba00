"""How well a predicted label image agrees with a reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class Score:
    """Agreement on one label of one case.

    Attributes:
        dice: 2 |A and B| / (|A| + |B|) (Dice 1945); NaN where the label is in neither.
        hd95_mm: the 95th percentile of the distances, in mm, from each surface to the other,
            both directions pooled, as medpy computes it; NaN unless the label is in both.
        volume_difference_ml: prediction minus reference; NaN where the label is in neither.
        reference_voxels, prediction_voxels: how many voxels have the label.
    """

    dice: float
    hd95_mm: float
    volume_difference_ml: float
    reference_voxels: int
    prediction_voxels: int


def score(
    reference: NDArray[np.bool_],
    prediction: NDArray[np.bool_],
    spacing: tuple[float, float, float],
) -> Score:
    """Compare two masks (z, y, x) of equal shape; ``spacing`` is z, y, x in mm."""
    wanted, got = int(reference.sum()), int(prediction.sum())
    if wanted == 0 and got == 0:
        return Score(math.nan, math.nan, math.nan, 0, 0)
    both = int(np.logical_and(reference, prediction).sum())
    volume = (got - wanted) * math.prod(spacing) / MM3_PER_ML
    distance = _hd95(reference, prediction, spacing) if wanted and got else math.nan
    return Score(2 * both / (wanted + got), distance, volume, wanted, got)


def _hd95(
    reference: NDArray[np.bool_],
    prediction: NDArray[np.bool_],
    spacing: tuple[float, float, float],
) -> float:
    from medpy.metric.binary import hd95

    box = _box(reference | prediction)
    return float(hd95(prediction[box], reference[box], voxelspacing=spacing))


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The mask's bounding box with one voxel around it, which keeps every surface as it is."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        (filled,) = np.nonzero(mask.any(axis=others))
        box.append(slice(max(0, int(filled[0]) - 1), int(filled[-1]) + 2))
    return tuple(box)
