"""Options out of range are refused by name."""

from __future__ import annotations

import math
from typing import Any

import pytest

from nnplug_losses.options import (
    BoundaryOptions,
    ClDiceOptions,
    FocalTverskyOptions,
    TopKOptions,
)


@pytest.mark.parametrize(
    ("options", "values", "named"),
    [
        (ClDiceOptions, {"weight": -0.1}, "weight"),
        (ClDiceOptions, {"weight": math.nan}, "weight"),
        (ClDiceOptions, {"iterations": 0}, "iterations"),
        (ClDiceOptions, {"iterations": 101}, "iterations"),
        (BoundaryOptions, {"weight": -1.0}, "weight"),
        (BoundaryOptions, {"growth": 0.0}, "growth"),
        (BoundaryOptions, {"growth": math.nan}, "growth"),
        (FocalTverskyOptions, {"alpha": -1.0}, "alpha"),
        (FocalTverskyOptions, {"beta": math.inf}, "beta"),
        (FocalTverskyOptions, {"alpha": 0.0, "beta": 0.0}, "alpha and beta"),
        (FocalTverskyOptions, {"gamma": 0.75}, "gamma"),
        (FocalTverskyOptions, {"gamma": math.nan}, "gamma"),
        (FocalTverskyOptions, {"ce_weight": -1.0}, "ce_weight"),
        (TopKOptions, {"k": 0.0}, "k must"),
        (TopKOptions, {"k": 100.5}, "k must"),
    ],
)
def test_out_of_range(options: type, values: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        options(**values)


def test_the_ends_are_allowed() -> None:
    assert ClDiceOptions(weight=0.0, iterations=100).iterations == 100
    assert FocalTverskyOptions(alpha=0.0, beta=1.0, gamma=1.0).gamma == 1
    assert TopKOptions(k=100.0).k == 100
