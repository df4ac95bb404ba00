"""Intervals and tests against known distributions and published examples."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from nnplug.data.statistics import holm, mean_interval, signed_rank


def test_the_interval_is_that_of_the_normal_distribution_for_many_subjects() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400)
    low, high = mean_interval([[value] for value in values], 5000, 0)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_the_interval_of_two_subjects_follows_from_all_draws() -> None:
    """1 and 3, drawn twice: means 1, 2, 2, 3; a quarter of the draws at each end."""
    assert mean_interval([[1.0], [3.0]], 4000, 0) == (1, 3)


def test_repeated_cases_of_a_subject_make_nothing_surer() -> None:
    subjects = np.random.default_rng(2).normal(0, 1, 30)
    once = mean_interval([[value] for value in subjects], 3000, 0)
    often = mean_interval([[value] * 10 for value in subjects], 3000, 0)
    assert often == pytest.approx(once)


def test_the_same_seed_gives_the_same_interval() -> None:
    groups = [[0.1, 0.9], [0.4], [0.7, math.nan], [math.nan]]
    assert mean_interval(groups, 100, 7) == mean_interval(groups, 100, 7)
    assert mean_interval(groups, 100, 7) != mean_interval(groups, 100, 8)


def test_one_subject_has_no_interval() -> None:
    assert all(map(math.isnan, mean_interval([[1.0, 2.0], [math.nan]], 100, 0)))


def test_signed_rank_agrees_with_the_count_of_all_signs() -> None:
    differences = [1.1, -0.4, 2.3, 0.9, -1.7, 3.2, 0.2]
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    observed = ranks[np.array(differences) > 0].sum()
    sums = np.array([ranks @ np.array(signs) for signs in product((0, 1), repeat=len(ranks))])
    p = 2 * min((sums >= observed).mean(), (sums <= observed).mean())
    assert signed_rank(differences) == pytest.approx(p)


@pytest.mark.parametrize(
    ("differences", "p"), [([0.0, 0.0], 1.0), ([math.nan], math.nan), ([0.0, 0.0, 0.2], 1.0)]
)
def test_signed_rank_of_nothing_to_rank(differences: list[float], p: float) -> None:
    assert signed_rank(differences) == pytest.approx(p, nan_ok=True)


def test_holm_corrects_as_in_his_example() -> None:
    """p = .01, .04, .03, .005 of four tests: .03, .06, .06, .02 (R's p.adjust(method="holm"))."""
    corrected = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005, "none": math.nan})
    assert [corrected[name] for name in "abcd"] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert math.isnan(corrected["none"])
    assert holm({"a": 0.8, "b": 0.9}) == {"a": 1, "b": 1}
