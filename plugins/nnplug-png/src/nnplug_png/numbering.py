"""The numbers in the names of slices."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from nnplug.errors import SourceError

_SHOWN = 10


def skeleton(stem: str) -> tuple[str, ...]:
    """Return what surrounds the integers in a name: ``a1_b02`` gives ``("a", "_b", "")``."""
    return tuple(re.split(r"[0-9]+", stem))


def number_of(name: str) -> int:
    """Return the last integer in a name, or 0."""
    integers = re.findall(r"[0-9]+", name)
    return int(integers[-1]) if integers else 0


def numbered(files: Sequence[Path], where: str) -> dict[int, Path]:
    """Return the slices by number, in increasing order, without a gap.

    A slice's number is the last integer in its stem that differs between the files. A single
    file has the last integer of its stem, or 0.

    Args:
        files: the slices of one stack.
        where: what errors name.

    Raises:
        SourceError: names differ in more than their numbers, a slice has no number or another
            one's, numbers are missing, or the first is neither 0 nor 1.
    """
    if len(files) == 1:
        return {number_of(files[0].stem): files[0]}
    shapes: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for path in files:
        shapes[skeleton(path.stem)].append(path)
    if len(shapes) > 1:
        some = ", ".join(group[0].name for group in list(shapes.values())[:3])
        raise SourceError(
            f"the names of the slices differ in more than a number: {some}",
            where=where,
            hint="keep one stack a folder, e.g. slice_1.png, slice_2.png, ...",
        )
    integers_of = {path: [int(n) for n in re.findall(r"[0-9]+", path.stem)] for path in files}
    columns = list(zip(*integers_of.values(), strict=True))
    varying = [i for i, column in enumerate(columns) if len(set(column)) > 1]
    position = varying[-1] if varying else -1
    slices: dict[int, list[Path]] = defaultdict(list)
    for path, integers in integers_of.items():
        slices[integers[position] if integers else 0].append(path)
    repeated = {n: group for n, group in slices.items() if len(group) > 1}
    if repeated:
        number, group = min(repeated.items())
        raise SourceError(
            f"several files are slice {number}: {', '.join(p.name for p in group[:5])}",
            where=where,
            hint="keep one file a slice",
        )
    check_gaps(sorted(slices), where)
    return {number: slices[number][0] for number in sorted(slices)}


def check_gaps(numbers: Sequence[int], where: str) -> None:
    """Check that sorted numbers run from 0 or 1 without a gap.

    Raises:
        SourceError: numbers are missing; the first of them are named.
    """
    gaps = [range(min(numbers[0], 1), numbers[0])]
    gaps += [range(a + 1, b) for a, b in pairwise(numbers) if b > a + 1]
    count = sum(gap.stop - gap.start for gap in gaps)
    if not count:
        return
    shown = [str(n) for gap in gaps for n in gap[:_SHOWN]][:_SHOWN]
    more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
    raise SourceError(
        f"slices are missing: {', '.join(shown)}{more}",
        where=where,
        hint="add them; if none is missing, number the files from 0 or 1 without a gap",
    )
