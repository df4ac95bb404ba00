"""The table of the remapper ``table``."""

from __future__ import annotations

from dataclasses import dataclass

HIGHEST = 255


@dataclass(frozen=True)
class TableOptions:
    """Which value becomes which.

    Attributes:
        table: value in the source to value in the dataset, both integers of 0..255. Several
            values may become one; every value that occurs needs an entry, 0 as well.
    """

    table: dict[int, int]

    def __post_init__(self) -> None:
        """Turn whole numbers written as text into integers.

        Raises:
            ValueError: the table is empty, or holds something else than integers of 0..255,
                or one value twice.
        """
        if not isinstance(self.table, dict) or not self.table:
            raise ValueError("table needs entries such as {0: 0, 255: 1}")
        table: dict[int, int] = {}
        for key, value in self.table.items():
            old = _integer(key)
            if old in table:
                raise ValueError(f"table has two entries for {old}")
            table[old] = _integer(value)
        object.__setattr__(self, "table", table)


def _integer(value: object) -> int:
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and text.isascii() and text.isdigit():
        text = int(text)
    if isinstance(text, bool) or not isinstance(text, int) or not 0 <= text <= HIGHEST:
        raise ValueError(f"table holds {value!r}; its entries are integers of 0..{HIGHEST}")
    return text
