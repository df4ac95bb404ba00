"""The keys ``sweep.search``: who proposes the jobs of a sweep, and what they have to keep to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nnplug.config.build import build


@dataclass(frozen=True)
class Bounds:
    """What a figure may be."""

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise ValueError("give low or high, or both")

    def broken(self, value: float) -> float:
        """By how much ``value`` is outside; 0 or less if it is inside."""
        below = [] if self.low is None else [self.low - value]
        above = [] if self.high is None else [value - self.high]
        return max(below + above)


@dataclass(frozen=True)
class Searching:
    """``sweep.search``.

    Attributes:
        name: of the search.
        constraints: what a job's figures have to keep to.
        trial: of a job: its number in the search.
        options: the search's own.
    """

    name: str
    constraints: Mapping[str, Bounds] = field(default_factory=dict)
    trial: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def search_settings(config: Mapping[str, Any]) -> Searching:
    """The settings below ``sweep.search``; raises ConfigError."""
    values = dict((config.get("sweep") or {}).get("search") or {})
    own = {key: values.pop(key) for key in ("name", "constraints", "trial") if key in values}
    return build(Searching, {**own, "options": values}, "sweep.search")
