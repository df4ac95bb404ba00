"""The options of the remappers; each checks itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nnplug_labels.names import matching, names_of

HIGHEST = 65535


@dataclass(frozen=True)
class TableOptions:
    """Which value becomes which.

    Attributes:
        table: value in the source to value in the dataset, both integers of 0..65535. Several
            values may become one; every value that occurs needs an entry, 0 as well.
    """

    table: dict[int, int]

    def __post_init__(self) -> None:
        if not isinstance(self.table, dict) or not self.table:
            raise ValueError("table needs entries such as {0: 0, 255: 1}")
        table: dict[int, int] = {}
        for key, value in self.table.items():
            old = _integer(key, "table")
            if old in table:
                raise ValueError(f"table has two entries for {old}")
            table[old] = _integer(value, "table")
        object.__setattr__(self, "table", table)


@dataclass(frozen=True)
class MergeOptions:
    """Which values become one.

    Attributes:
        merge: new value to the values that become it, e.g. ``{1: [1, 2], 2: [3]}``. 0 stays
            background unless it is listed; every other value that occurs has to be listed.
    """

    merge: dict[int, list[int]]

    def __post_init__(self) -> None:
        if not self.merge:
            raise ValueError("merge needs entries such as {1: [1, 2], 2: [3]}")
        _distinct((old for olds in self.merge.values() for old in olds), "merge")
        for new in self.merge:
            _integer(new, "merge")


@dataclass(frozen=True)
class DropOptions:
    """Which values become background; higher ones move down, so that no gap is left.

    Attributes:
        values: what is dropped.
    """

    values: list[int]

    def __post_init__(self) -> None:
        _foreground(self.values)


@dataclass(frozen=True)
class KeepOptions:
    """Which values stay; everything else becomes background.

    Attributes:
        values: what stays; they become 1, 2, ... in this order.
    """

    values: list[int]

    def __post_init__(self) -> None:
        _foreground(self.values)


@dataclass(frozen=True)
class BinarizeOptions:
    """What becomes 1; everything else becomes 0.

    Attributes:
        values: what becomes 1; None takes all but 0.
    """

    values: list[int] | None = None

    def __post_init__(self) -> None:
        if self.values is not None:
            _foreground(self.values)


@dataclass(frozen=True)
class ByNameOptions:
    """Labels of the dataset from the names of the source's values.

    Attributes:
        names: value in the source to its name; or a file of these: ``.json`` (value to name or
            name to value), or text with a value and a name a line, separated by comma, tab or
            blanks (as in 3D Slicer's colour tables and ITK-SNAP's label descriptions).
        keep: label of the dataset to names or patterns (``*``, ``?``) of the source; letter
            case doesn't count. Values of other names become background.
    """

    names: Mapping[int, str] | str
    keep: dict[str, list[str]]

    def __post_init__(self) -> None:
        names = names_of(self.names)
        object.__setattr__(self, "names", names)
        matching(names, self.keep)


@dataclass(frozen=True)
class LargestComponentOptions:
    """Of which labels only the largest connected part stays.

    Attributes:
        labels: the values it is done for, each on its own; None takes all but 0.
        connectivity: voxels belong together that share a face (6) or a corner (26).
    """

    labels: list[int] | None = None
    connectivity: Literal[6, 26] = 26

    def __post_init__(self) -> None:
        if self.labels is not None:
            _foreground(self.labels)


@dataclass(frozen=True)
class MinimumVolumeOptions:
    """Which connected parts of a label are too small to stay.

    Attributes:
        mm3: parts of a smaller volume become background; above 0.
        labels, connectivity: as in :class:`LargestComponentOptions`.
    """

    mm3: float
    labels: list[int] | None = None
    connectivity: Literal[6, 26] = 26

    def __post_init__(self) -> None:
        if not 0 < self.mm3 < math.inf:
            raise ValueError(f"mm3 must be above 0, not {self.mm3}")
        if self.labels is not None:
            _foreground(self.labels)


@dataclass(frozen=True)
class FillHolesOptions:
    """Of which labels the holes are filled.

    Attributes:
        labels: the values it is done for, each on its own; None takes all but 0.
    """

    labels: list[int] | None = None

    def __post_init__(self) -> None:
        if self.labels is not None:
            _foreground(self.labels)


def _foreground(values: Sequence[int]) -> None:
    if not values or 0 in values:
        raise ValueError(f"values are wanted here that are not background, not {list(values)}")
    _distinct(values, "values")


def _distinct(values: Iterable[int], key: str) -> None:
    seen: set[int] = set()
    for value in values:
        if _integer(value, key) in seen:
            raise ValueError(f"{key} names {value} twice")
        seen.add(value)


def _integer(value: object, key: str) -> int:
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and text.isascii() and text.isdigit():
        text = int(text)
    if isinstance(text, bool) or not isinstance(text, int) or not 0 <= text <= HIGHEST:
        raise ValueError(f"{key} holds {value!r}; its entries are integers of 0..{HIGHEST}")
    return text
