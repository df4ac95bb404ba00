"""Scores of many cases as means with intervals, by subject, and as differences of two models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nnplug.data.metrics import FIGURES, Score
from nnplug.data.statistics import Interval, holm, mean, mean_interval, signed_rank

Cases = Mapping[str, Mapping[str, Score]]
Table = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Draws:
    """How the bootstrap draws: how often, and the seed of its random numbers."""

    resamples: int
    seed: int


@dataclass(frozen=True)
class Difference:
    """How much one model differs from another in a figure of a label.

    Attributes:
        mean: the mean over the cases that have the figure with both, first minus second.
        interval: 95 % bootstrap interval of it.
        p: Wilcoxon's signed-rank test over the subjects' mean differences.
        p_holm: the same with Holm's correction over the labels.
        cases, subjects: how many have the figure with both models.
    """

    mean: float
    interval: Interval
    p: float
    p_holm: float
    cases: int
    subjects: int


@dataclass(frozen=True)
class Comparison:
    """How the predictions differ from another model's on the same cases.

    Attributes:
        cases: the other model's scores.
        means: their means.
        differences: label name to figure to the difference, the predictions minus the other's.
    """

    cases: Cases
    means: Mapping[str, Mapping[str, float]]
    differences: Mapping[str, Mapping[str, Difference]]


@dataclass(frozen=True)
class Scores:
    """Scores of a folder of predictions.

    Attributes:
        labels: label name to value.
        cases: case to label name to score.
        means: label name to the mean of each figure over the cases where it is a number.
        intervals: the 95 % bootstrap intervals of these, over subjects.
        subjects: subject to label name to the mean of each figure over the subject's cases.
        dice: mean Dice over all foreground labels and cases where it is a number.
        notes: what a reader of the figures has to know.
        comparison: with another model, where one was given.
    """

    labels: Mapping[str, int]
    cases: Cases
    means: Mapping[str, Mapping[str, float]]
    intervals: Mapping[str, Mapping[str, Interval]]
    subjects: Mapping[str, Mapping[str, Mapping[str, float]]]
    dice: float
    notes: Sequence[str]
    comparison: Comparison | None = None


def means(cases: Cases) -> Table:
    """Label to figure to its mean over the cases where it is a number."""
    return {
        label: {figure: mean(_values(cases, label, figure)) for figure in FIGURES}
        for label in _labels(cases)
    }


def intervals(
    cases: Cases, subjects: Mapping[str, str], draws: Draws
) -> dict[str, dict[str, Interval]]:
    """The 95 % bootstrap intervals of :func:`means`."""
    grouped = _by_subject(cases, subjects).values()
    return {
        label: {
            figure: mean_interval(
                [_values(group, label, figure) for group in grouped], draws.resamples, draws.seed
            )
            for figure in FIGURES
        }
        for label in _labels(cases)
    }


def subject_means(cases: Cases, subjects: Mapping[str, str]) -> dict[str, Table]:
    """:func:`means` of each subject's cases."""
    return {subject: means(group) for subject, group in _by_subject(cases, subjects).items()}


def differences(
    first: Cases, second: Cases, subjects: Mapping[str, str], draws: Draws
) -> dict[str, dict[str, Difference]]:
    """Label to figure to how ``first`` differs from ``second`` on the same cases."""
    found: dict[str, dict[str, Difference]] = {label: {} for label in _labels(first)}
    for figure in FIGURES:
        groups = {label: _apart(first, second, subjects, label, figure) for label in found}
        p_values = {label: signed_rank([mean(group) for group in groups[label]]) for label in found}
        corrected = holm(p_values)
        for label, by_subject in groups.items():
            every = [value for group in by_subject for value in group]
            found[label][figure] = Difference(
                mean(every),
                mean_interval(by_subject, draws.resamples, draws.seed),
                p_values[label],
                corrected[label],
                len(every),
                len(by_subject),
            )
    return found


def _apart(
    first: Cases, second: Cases, subjects: Mapping[str, str], label: str, figure: str
) -> list[list[float]]:
    """The differences of each subject that has one."""
    groups: dict[str, list[float]] = {}
    for case, scores in first.items():
        apart = getattr(scores[label], figure) - getattr(second[case][label], figure)
        if not math.isnan(apart):
            groups.setdefault(subjects[case], []).append(apart)
    return list(groups.values())


def _by_subject(
    cases: Cases, subjects: Mapping[str, str]
) -> dict[str, dict[str, dict[str, Score]]]:
    groups: dict[str, dict[str, dict[str, Score]]] = {}
    for case, scores in cases.items():
        groups.setdefault(subjects[case], {})[case] = dict(scores)
    return groups


def _labels(cases: Cases) -> Iterable[str]:
    return next(iter(cases.values()), {})


def _values(cases: Cases, label: str, figure: str) -> list[float]:
    return [getattr(scores[label], figure) for scores in cases.values()]
