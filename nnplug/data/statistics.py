"""Confidence intervals of means, and tests of differences, over subjects.

Cases of one subject are not independent, so subjects are what is drawn and ranked. NaN means
that there is no figure; it is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

CONFIDENCE = 0.95
Interval = tuple[float, float]


def mean(values: Sequence[float]) -> float:
    """The mean of the numbers; NaN if there is none."""
    numbers = [value for value in values if not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else math.nan


def mean_interval(groups: Sequence[Sequence[float]], resamples: int, seed: int) -> Interval:
    """The 95 % bootstrap interval of the mean over all values, by percentiles.

    Whole groups are drawn with replacement (Efron 1979; Davison and Hinkley 1997, section 3.8),
    each as often as there are groups. The same seed draws the same groups.

    Args:
        groups: the values of each subject.
        resamples: how many times to draw.
        seed: of the random numbers.

    Returns:
        Lower and upper limit; NaN with fewer than two groups that have a number.
    """
    numbers = [[value for value in group if not math.isnan(value)] for group in groups]
    sums = np.array([sum(group) for group in numbers if group])
    counts = np.array([len(group) for group in numbers if group])
    if len(sums) < 2:
        return math.nan, math.nan
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=resamples)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def signed_rank(differences: Sequence[float]) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test (1945), zeros left out.

    Args:
        differences: one a subject.

    Returns:
        1 if all are zero; NaN if there is none.
    """
    numbers = [value for value in differences if not math.isnan(value)]
    if not any(numbers):
        return 1.0 if numbers else math.nan
    from scipy.stats import wilcoxon

    return float(wilcoxon(numbers).pvalue)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's correction (1979) for several tests; NaN stays NaN and counts as no test."""
    tests = sorted((p, name) for name, p in p_values.items() if not math.isnan(p))
    corrected, reached = dict(p_values), 0.0
    for rank, (p, name) in enumerate(tests):
        reached = max(reached, min(1.0, p * (len(tests) - rank)))
        corrected[name] = reached
    return corrected
