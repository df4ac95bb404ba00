"""The remappers that ask nothing but a voxel's value."""

from __future__ import annotations

from collections.abc import Collection

from nnplug_labels.names import matching, names_of
from nnplug_labels.options import (
    BinarizeOptions,
    ByNameOptions,
    DropOptions,
    KeepOptions,
    MergeOptions,
    TableOptions,
)


class TableRemapper:
    """Every value is looked up; one without an entry has no place."""

    def __init__(self, options: TableOptions) -> None:
        self._table = options.table

    @property
    def keys(self) -> Collection[int]:
        """Every value of the table but 0, which need not occur."""
        return self._table.keys() - {0}

    def value(self, old: int) -> int | None:
        """The entry of ``old``."""
        return self._table.get(old)


class MergeRemapper(TableRemapper):
    """Several values become one."""

    def __init__(self, options: MergeOptions) -> None:
        table = {old: new for new, olds in options.merge.items() for old in olds}
        super().__init__(TableOptions({0: 0, **table}))


class DropRemapper:
    """Some values become background, and higher ones move down."""

    def __init__(self, options: DropOptions) -> None:
        self.keys: Collection[int] = frozenset(options.values)

    def value(self, old: int) -> int | None:
        """0 for a dropped value, else ``old`` less the number of dropped values below."""
        if old < 0:
            return None
        return 0 if old in self.keys else old - sum(dropped < old for dropped in self.keys)


class KeepRemapper:
    """Some values become 1, 2, ..., all others background."""

    def __init__(self, options: KeepOptions) -> None:
        self._new = {old: new for new, old in enumerate(options.values, start=1)}

    @property
    def keys(self) -> Collection[int]:
        """The values that stay."""
        return self._new.keys()

    def value(self, old: int) -> int | None:
        """The place of ``old`` among the values that stay, or 0."""
        return self._new.get(old, 0)


class BinarizeRemapper:
    """Foreground against background."""

    def __init__(self, options: BinarizeOptions) -> None:
        self._all = options.values is None
        self.keys: Collection[int] = frozenset(options.values or ())

    def value(self, old: int) -> int | None:
        """1 or 0."""
        return int(old != 0 if self._all else old in self.keys)


class ByNameRemapper:
    """Labels of the dataset from the names of values."""

    def __init__(self, options: ByNameOptions) -> None:
        names = names_of(options.names)
        self._chosen = matching(names, options.keep)
        self._known = {0, *names}

    @property
    def keys(self) -> Collection[int]:
        """The values that some label keeps."""
        return self._chosen.keys()

    def value(self, old: int) -> int | str | None:
        """The label that keeps ``old``; 0 for other names, None for a value without a name."""
        return self._chosen.get(old, 0 if old in self._known else None)
