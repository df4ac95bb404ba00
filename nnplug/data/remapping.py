"""Label values through a chain of remappers, and the way back.

Consecutive steps that work on values are composed and looked up once a voxel; a step that
works on voxels gets the array as it is then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnplug.data.labels import count
from nnplug.errors import ConfigError, SourceError
from nnplug.types import Remapper, ValueRemapper

Labels = NDArray[np.integer[Any]]
LISTED = 10
TABLE = 1 << 16


@dataclass(frozen=True)
class Step:
    """A remapper and the name by which it was chosen."""

    name: str
    remapper: Remapper


def apply(
    steps: Sequence[Step],
    values: Labels,
    labels: Mapping[str, int],
    spacing: tuple[float, float, float],
    notes: dict[str, str],
) -> Labels:
    """Take a label through all steps.

    Args:
        steps: in order.
        values: integers (z, y, x).
        labels: label name to value of the dataset, for steps that answer by name.
        spacing: z, y, x in mm.
        notes: for the manifest; how many voxels a step moved is added.

    Raises:
        SourceError: a value has no place in the result; all such values are listed with their
            voxel counts.
    """
    composed = {old: old for old in count(values)}
    for step in steps:
        if isinstance(step.remapper, ValueRemapper):
            composed = _composed(step, composed, values, labels)
            continue
        before = _looked_up(values, composed)
        values = step.remapper.apply(before, spacing)
        if values.shape != before.shape:
            raise SourceError(f"the remapper {step.name!r} changed the shape of the label")
        moved = _moved(count(before), count(values))
        if moved:
            notes[f"remap {step.name}"] = moved
        composed = {old: old for old in count(values)}
    return _looked_up(values, composed)


def check(steps: Iterable[Step], labels: Mapping[str, int]) -> None:
    """Refuse steps that name a label which the dataset doesn't have.

    Raises:
        ConfigError: with that label.
    """
    for step in steps:
        if isinstance(step.remapper, ValueRemapper):
            for key in step.remapper.keys:
                _number(step.remapper.value(key), labels)


def never_met(
    steps: Iterable[Step], labels: Mapping[str, int], found: Iterable[int]
) -> dict[str, list[int]]:
    """Values that a step's options name and that never reach it: step to sorted values.

    ``found`` are the values of all cases in the source.
    """
    reached = set(found)
    missing: dict[str, list[int]] = {}
    for step in steps:
        if isinstance(step.remapper, ValueRemapper):
            unmet = sorted(set(step.remapper.keys) - reached)
            if unmet:
                missing[step.name] = unmet
            answers = {_number(step.remapper.value(value), labels) for value in reached}
            reached = {answer for answer in answers if answer is not None}
    return missing


@dataclass(frozen=True)
class Inverse:
    """The way back from the dataset's values to the source's.

    Attributes:
        values: dataset value to source value; None where there is no way back.
        lost: what is not restored and why, in words; "" if nothing.
    """

    values: dict[int, int] | None
    lost: str = ""


def inverse(steps: Sequence[Step], labels: Mapping[str, int], found: Iterable[int]) -> Inverse:
    """The way back, if each label of the dataset comes from one value of the source.

    Background is 0 again if 0 became background, whatever else did.

    Args:
        steps: in order.
        labels: label name to value of the dataset.
        found: the values of all cases in the source; for labels that none of them became, the
            values that the first step names count too.
    """
    origins: dict[int, list[int]] = {value: [] for value in sorted(labels.values())}
    first = steps[0].remapper
    named = set(first.keys) if isinstance(first, ValueRemapper) else set()
    for candidates in (sorted(set(found)), sorted(named)):
        open_labels = {value for value, olds in origins.items() if not olds}
        for old in candidates:
            new = _through(steps, old, labels)
            if new in open_labels:
                origins[new].append(old)
    dropped = [old for old in origins[0] if old != 0] if 0 in origins[0] else []
    if dropped:
        origins[0] = [0]
    for new, olds in origins.items():
        if len(olds) > 1:
            return Inverse(None, f"{_listed(olds)} were merged into {new}")
        if not olds:
            return Inverse(None, f"no value of the source becomes {new}")
    lost = f"{_listed(dropped)} became background" if dropped else ""
    return Inverse({new: olds[0] for new, olds in origins.items()}, lost)


def _through(steps: Iterable[Step], value: int, labels: Mapping[str, int]) -> int | None:
    now: int | None = value
    for step in steps:
        if now is not None and isinstance(step.remapper, ValueRemapper):
            now = _number(step.remapper.value(now), labels)
    return now


def _composed(
    step: Step, before: Mapping[int, int], values: Labels, labels: Mapping[str, int]
) -> dict[int, int]:
    assert isinstance(step.remapper, ValueRemapper)
    composed: dict[int, int] = {}
    unmapped = []
    for old, now in before.items():
        new = _number(step.remapper.value(now), labels)
        if new is None:
            unmapped.append((old, now))
        else:
            composed[old] = new
    if unmapped:
        voxels = count(values)
        listed = [f"{now} ({voxels[old]} voxels)" for old, now in unmapped[:LISTED]]
        if len(unmapped) > LISTED:
            listed.append(f"and {len(unmapped) - LISTED} more values")
        raise SourceError(
            f"the label holds values that remap={step.name} has no place for: {', '.join(listed)}",
            hint="say what becomes of them",
        )
    return composed


def _number(answer: int | str | None, labels: Mapping[str, int]) -> int | None:
    if not isinstance(answer, str):
        return answer
    if answer not in labels:
        raise ConfigError(
            f"there is no label {answer!r}",
            where="remap",
            hint=f"dataset.labels has {', '.join(labels)}",
        )
    return labels[answer]


def _looked_up(values: Labels, table: Mapping[int, int]) -> Labels:
    """Every voxel's value by ``table``, in the smallest integer type that holds the results.

    Plane by plane, because NumPy makes 64 bits of every index.
    """
    if all(old == new for old, new in table.items()):
        return values
    olds = sorted(table)
    news = np.array([table[old] for old in olds])
    news = news.astype(np.result_type(*map(np.min_scalar_type, (news.min(), news.max()))))
    result = np.empty(values.shape, news.dtype)
    if olds[0] < 0 or olds[-1] >= TABLE:
        for plane, found in zip(values, result, strict=True):
            found[...] = news[np.searchsorted(np.array(olds), plane)]
        return result
    whole = np.zeros(olds[-1] + 1, news.dtype)
    whole[olds] = news
    for plane, found in zip(values, result, strict=True):
        np.take(whole, plane, out=found)
    return result


def _moved(before: Mapping[int, int], after: Mapping[int, int]) -> str:
    return ", ".join(
        f"{value}: {number} -> {after.get(value, 0)} voxels"
        for value, number in before.items()
        if after.get(value, 0) != number
    )


def _listed(values: Sequence[int]) -> str:
    head = ", ".join(map(str, values[:-1]))
    return f"{head} and {values[-1]}" if head else str(values[-1])
