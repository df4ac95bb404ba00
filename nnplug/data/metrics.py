"""How well a predicted label image agrees with a reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnplug.data.surfaces import average_distance, surface_dice, surfaces

MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class Score:
    """Agreement on one label of one case.

    All figures are NaN where the label is in neither image. Where it is in one of them, Dice
    and surface Dice are 0 and the distances NaN.

    Attributes:
        dice: 2 |A and B| / (|A| + |B|) (Dice 1945).
        surface_dice: the part of both surfaces that is within the tolerance of the other
            (Nikolov et al. 2018, arXiv:1809.04430).
        hd95_mm: the 95th percentile of the distances, in mm, from each surface to the other,
            both directions pooled, as medpy computes it.
        assd_mm: average symmetric surface distance in mm, weighted by area.
        volume_difference_ml: prediction minus reference.
        reference_voxels, prediction_voxels: how many voxels have the label.
    """

    dice: float
    surface_dice: float
    hd95_mm: float
    assd_mm: float
    volume_difference_ml: float
    reference_voxels: int
    prediction_voxels: int


FIGURES = ("dice", "surface_dice", "hd95_mm", "assd_mm", "volume_difference_ml")
IN_NEITHER = Score(math.nan, math.nan, math.nan, math.nan, math.nan, 0, 0)


def score(
    reference: NDArray[np.bool_],
    prediction: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    tolerance: float,
) -> Score:
    """Compare two masks (z, y, x) of equal shape.

    Args:
        reference, prediction: the masks.
        spacing: z, y, x in mm.
        tolerance: of the surface Dice, in mm.
    """
    wanted, got = int(reference.sum()), int(prediction.sum())
    if wanted == 0 and got == 0:
        return IN_NEITHER
    volume = (got - wanted) * math.prod(spacing) / MM3_PER_ML
    if wanted == 0 or got == 0:
        return Score(0.0, 0.0, math.nan, math.nan, volume, wanted, got)
    box = _box(reference | prediction)
    reference, prediction = reference[box], prediction[box]
    both = int(np.logical_and(reference, prediction).sum())
    pair = surfaces(reference, prediction, spacing)
    return Score(
        dice=2 * both / (wanted + got),
        surface_dice=surface_dice(pair, tolerance),
        hd95_mm=_hd95(reference, prediction, spacing),
        assd_mm=average_distance(pair),
        volume_difference_ml=volume,
        reference_voxels=wanted,
        prediction_voxels=got,
    )


def _hd95(
    reference: NDArray[np.bool_],
    prediction: NDArray[np.bool_],
    spacing: tuple[float, float, float],
) -> float:
    from medpy.metric.binary import hd95

    return float(hd95(prediction, reference, voxelspacing=spacing))


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The mask's bounding box with one voxel around it, which keeps every surface as it is."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        (filled,) = np.nonzero(mask.any(axis=others))
        box.append(slice(max(0, int(filled[0]) - 1), int(filled[-1]) + 2))
    return tuple(box)
