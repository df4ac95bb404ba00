"""Cases that don't look like the others.

A value is an outlier if it lies more than :data:`LIMIT` robust standard deviations from the
median of the cohort: ``|x - median| / max(1.4826 MAD, floor)``, MAD being the median absolute
deviation (Iglewicz and Hoaglin, "How to detect and handle outliers", 1993, who take 3.5 for a
single normal quantity; here dozens are looked at, many of them skewed). The floor keeps small
differences in an otherwise equal cohort from being called outliers. Sizes, spacings and volumes
are compared on a logarithmic scale.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from nnplug.data.measures import Measures
from nnplug.data.problems import Problem

LIMIT = 6.0
SMALLEST_COHORT = 8
MAD_TO_SIGMA = 1.4826
RATIO_FLOOR = math.log(1.1)
PLACE_FLOOR = 0.02
INTENSITY_FLOOR = 0.05


@dataclass(frozen=True)
class Quantity:
    """One number of a case.

    Attributes:
        compared: on the scale on which cases are compared.
        shown: as a person reads it.
        floor: the least deviation of a cohort; None for intensities: 5 % of their usual range.
    """

    compared: float
    shown: str
    floor: float | None = None


def outliers(cases: Mapping[str, Measures]) -> list[Problem]:
    """Warnings about cases that differ from the cohort, which needs at least 8 cases."""
    if len(cases) < SMALLEST_COHORT:
        return []
    return [*_orientations(cases), *_quantities(cases)]


def _orientations(cases: Mapping[str, Measures]) -> Iterator[Problem]:
    counts = Counter(measures.orientation for measures in cases.values())
    common, number = counts.most_common(1)[0]
    for case, measures in cases.items():
        if measures.orientation != common and 2 * number > len(cases):
            yield Problem(
                "orientation",
                f"the axes point to {measures.orientation}, those of {number} of {len(cases)} "
                f"cases to {common}",
                case,
                hint="nnU-Net ignores directions: give all cases one orientation, e.g. with "
                "convert.orient=LPS",
                level="warning",
            )


def _quantities(cases: Mapping[str, Measures]) -> Iterator[Problem]:
    measured = {case: dict(_of_case(measures)) for case, measures in cases.items()}
    ranges = [c.p99 - c.p01 for m in cases.values() for c in m.channels]
    spread = INTENSITY_FLOOR * float(np.median(ranges))
    texts: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(name for quantities in measured.values() for name in quantities):
        having = {case: q[name] for case, q in measured.items() if name in q}
        if len(having) >= SMALLEST_COHORT:
            for case, text in _far_off(name, having, spread):
                texts[case].append(text)
    for case in cases:
        if case in texts:
            yield Problem(
                "outlier",
                "; ".join(texts[case]),
                case,
                hint="look at its picture in qc/: wrong units, another scan, a wrong label?",
                level="warning",
            )


def _far_off(name: str, having: Mapping[str, Quantity], spread: float) -> Iterator[tuple[str, str]]:
    values = np.array([quantity.compared for quantity in having.values()])
    median = float(np.median(values))
    deviation = MAD_TO_SIGMA * float(np.median(np.abs(values - median)))
    middle = sorted(having.values(), key=lambda q: q.compared)[len(having) // 2].shown
    for case, quantity in having.items():
        floor = spread if quantity.floor is None else quantity.floor
        distance = abs(quantity.compared - median)
        if distance > LIMIT * max(deviation, floor):
            yield case, f"{name} is {quantity.shown}, in the cohort about {middle}"


def _of_case(measures: Measures) -> Iterator[tuple[str, Quantity]]:
    for axis, size, spacing in zip("xyz", measures.size, measures.spacing, strict=True):
        yield f"size {axis}", _ratio(size, "voxels")
        yield f"spacing {axis}", _ratio(spacing, "mm")
    for number, channel in enumerate(measures.channels):
        for name in ("p01", "p50", "p99", "mean"):
            value = getattr(channel, name)
            yield f"channel {number} {name}", Quantity(value, f"{value:.4g}")
    for label, region in measures.regions.items():
        yield f"label {label} volume", _ratio(region.volume_mm3, "mm3")
        for axis, place in zip(("left", "back", "head"), region.place, strict=True):
            shown = f"{place:.2f} of the image"
            yield f"label {label} place towards {axis}", Quantity(place, shown, PLACE_FLOOR)


def _ratio(value: float, unit: str) -> Quantity:
    return Quantity(math.log(value), f"{value:.4g} {unit}", RATIO_FLOOR)
