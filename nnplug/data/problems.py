"""What ``nnplug check`` finds: typed, so that a person and a program can read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Literal

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")
SHOWN = 20


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or looks wrong.

    Attributes:
        kind: a fixed word to filter by, e.g. ``grid`` (see ``docs/check.md``).
        text: what is wrong.
        case: the case that it is about, or "".
        file: the file, relative to the task folder or the source, or "".
        hint: what to do.
        level: an ``error`` makes the check fail, a ``warning`` only when asked to, a ``note``
            never.
    """

    kind: str
    text: str
    case: str = ""
    file: str = ""
    hint: str = ""
    level: Level = "error"

    def __str__(self) -> str:
        return ": ".join(part for part in (self.level, self.case, self.file, self.text) if part)


@dataclass(frozen=True)
class Report:
    """All findings about one place.

    Attributes:
        place: the task folder or the source.
        cases: how many cases were looked at.
        problems: what was found.
    """

    place: str
    cases: int
    problems: Sequence[Problem]

    def count(self, level: Level) -> int:
        """How many findings of that level there are."""
        return sum(problem.level == level for problem in self.problems)

    def summary(self) -> str:
        """One line, e.g. ``12 cases, 2 errors, 1 warning``."""
        counts = ((self.cases, "case"), *((self.count(level), level) for level in LEVELS))
        return ", ".join(
            f"{number} {word}{'s' * (number != 1)}"
            for number, word in counts
            if word != "note" or number
        )

    def plain(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {
            "place": self.place,
            "cases": self.cases,
            **{f"{level}s": self.count(level) for level in LEVELS},
            "problems": [asdict(problem) for problem in self.problems],
        }

    def lines(self) -> Iterator[str]:
        """The report as text: by kind, errors first, each hint once, at most 20 of a kind."""
        ordered = sorted(
            self.problems, key=lambda one: (LEVELS.index(one.level), one.kind, one.hint)
        )
        for _, group in groupby(ordered, key=lambda one: (one.level, one.kind, one.hint)):
            alike = list(group)
            yield from map(str, alike[:SHOWN])
            if len(alike) > SHOWN:
                yield f"  ... and {len(alike) - SHOWN} more (check.json=true lists all)"
            if alike[0].hint:
                yield f"  -> {alike[0].hint}"
