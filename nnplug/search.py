"""A search over the configuration, as the plugins that propose jobs see it.

Importing this module loads nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol


@dataclass(frozen=True)
class Choices:
    """One of several values, each as it is written after ``KEY=``."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Interval:
    """A number from ``low`` to ``high``, both included.

    Attributes:
        low, high: the ends.
        whole: whole numbers only.
        log: what counts is the number's logarithm.
        step: numbers this far apart, from ``low`` on; None for any.
    """

    low: float
    high: float
    whole: bool = False
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"{self.low} is not below {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"{self.low} has no logarithm")
        if self.log and self.step is not None:
            raise ValueError("logarithms and steps don't go together")


@dataclass(frozen=True)
class Problem:
    """What is searched for.

    Attributes:
        folder: of the sweep; what has to be kept from one command to the next goes there.
        space: what each key may be.
        objectives: the figures to go by, each with whether more is better.
        constraints: names of what has to be kept to.
    """

    folder: Path
    space: Mapping[str, Choices | Interval]
    objectives: Mapping[str, bool]
    constraints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """A job to run: a number of its own, and a value for each key of the space."""

    number: int
    values: Mapping[str, str | int | float]


@dataclass(frozen=True)
class Outcome:
    """What came of a proposal.

    Attributes:
        status: ``done``, ``pruned``, or ``failed`` (killed and without figures as well).
        objectives: of one that is done: finite, in the order of the problem's.
        constraints: of one that is done: by how much each is broken; 0 or less if it is kept.
    """

    status: Literal["done", "pruned", "failed"]
    objectives: tuple[float, ...] = ()
    constraints: Mapping[str, float] | None = None


class Search(Protocol):
    """Proposes jobs and learns from what comes of them. Constructed as ``Target(options)``.

    Several commands may work on the same folder at once, and any of them can be killed: what it
    was about to try is proposed again by a later one. A job that was begun goes on where it was.
    """

    def open(self, problem: Problem) -> None:
        """Begin, or go on with what is in the problem's folder.

        Raises:
            nnplug.errors.ConfigError: the options and the problem don't go together.
        """
        ...

    def ask(self) -> Proposal | None:
        """The next job; None when there are enough."""
        ...

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        """What came of it. A job that was interrupted is not told: it goes on later."""
        ...

    def best(self) -> Sequence[Proposal]:
        """The best so far; several where they are equal, or where objectives compete."""
        ...
