"""The remapper ``table``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug_labels.options import HIGHEST, TableOptions


class TableRemapper:
    """Looks every voxel up in a table that has to be total."""

    def __init__(self, options: TableOptions) -> None:
        self._lookup = np.zeros(HIGHEST + 1, dtype=np.uint8)
        self._known = np.zeros(HIGHEST + 1, dtype=bool)
        for old, new in options.table.items():
            self._lookup[old] = new
            self._known[old] = True

    def apply(self, label: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
        """Return the label with the table's values.

        Args:
            label: integers of any kind and shape, e.g. (z, y, x).

        Returns:
            A new uint8 array of the same shape.

        Raises:
            SourceError: a value has no entry; all such values are listed with their counts.
        """
        inside = label.size == 0 or (int(label.min()) >= 0 and int(label.max()) <= HIGHEST)
        small = label.astype(np.uint8, copy=False) if inside else None
        if small is None or not bool(self._known[small].all()):
            raise SourceError(
                f"the table has no entry for {self._unknown(label)}",
                where="remap.table",
                hint="add entries, e.g. {VALUE: 0} to make them background",
            )
        result: NDArray[np.uint8] = self._lookup[small]
        return result

    def _unknown(self, label: NDArray[np.integer[Any]]) -> str:
        values, counts = np.unique(label, return_counts=True)
        missing = [
            f"{value} ({count} voxels)"
            for value, count in zip(values.tolist(), counts.tolist(), strict=True)
            if not (0 <= value <= HIGHEST and self._known[value])
        ]
        more = f" and {len(missing) - 10} more values" if len(missing) > 10 else ""
        return ", ".join(missing[:10]) + more
