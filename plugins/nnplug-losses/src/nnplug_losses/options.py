"""The keys below ``trainer.options.``; imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass


def _not_negative(name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be finite and at least 0, not {value}")


@dataclass(frozen=True)
class ClDiceOptions:
    """Options of ``trainer=cldice``.

    Attributes:
        weight: factor of the clDice term beside nnU-Net's Dice and cross-entropy, >= 0.
        iterations: erosions of the soft skeleton, 1 to 100; at least the radius of the thickest
            tube in voxels. Time and memory grow with it.
    """

    weight: float = 1.0
    iterations: int = 5

    def __post_init__(self) -> None:
        _not_negative("weight", self.weight)
        if not 1 <= self.iterations <= 100:
            raise ValueError(f"iterations must be from 1 to 100, not {self.iterations}")


@dataclass(frozen=True)
class BoundaryOptions:
    """Options of ``trainer=boundary``.

    Attributes:
        growth: by what the factor of the boundary loss grows in each epoch, from the first on, > 0.
        weight: what it grows up to, >= 0.
    """

    growth: float = 0.01
    weight: float = 1.0

    def __post_init__(self) -> None:
        _not_negative("weight", self.weight)
        if not 0 < self.growth < math.inf:
            raise ValueError(f"growth must be finite and above 0, not {self.growth}")


@dataclass(frozen=True)
class FocalTverskyOptions:
    """Options of ``trainer=focal_tversky``; the defaults are the paper's.

    Attributes:
        alpha: what a missed voxel costs, >= 0.
        beta: what a voxel too many costs, >= 0; one of the two is above 0.
        gamma: focus on what is segmented badly, 1 to 3; 1 gives the Tversky loss.
        ce_weight: factor of nnU-Net's cross-entropy beside it, >= 0.
    """

    alpha: float = 0.7
    beta: float = 0.3
    gamma: float = 4 / 3
    ce_weight: float = 0.0

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "ce_weight"):
            _not_negative(name, getattr(self, name))
        if self.alpha + self.beta == 0:
            raise ValueError("alpha and beta can't both be 0: no mistake would cost anything")
        if not 1 <= self.gamma <= 3:
            raise ValueError(f"gamma must be from 1 to 3, not {self.gamma}")


@dataclass(frozen=True)
class TopKOptions:
    """Options of ``trainer=dice_topk``.

    Attributes:
        k: percentage of the voxels, those with the highest cross-entropy, in (0, 100].
    """

    k: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.k <= 100:
            raise ValueError(f"k must be above 0 and at most 100 (percent), not {self.k}")
