"""How data are read, converted and checked; what every verb knows about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nnplug.config.settings.dataset import Dataset

KEEP = "keep"
SIDES = {"L": "x", "R": "x", "A": "y", "P": "y", "I": "z", "S": "z"}


@dataclass(frozen=True)
class Paths:
    """``paths``: the folder that holds nnU-Net's three folders."""

    root: Path = Path("nnplug_data")


@dataclass(frozen=True)
class Choice:
    """Something chosen by name, with the options of whoever offers it."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Convert:
    """``convert``: how conversion goes about it.

    Attributes:
        on_error: ``stop`` at the first case that can't be converted, or ``skip`` it.
        reference: the channel (name or number) whose grid all channels of a case get; None
            refuses channels on different grids.
        interpolation: how the other channels are resampled onto it.
        outside: the value outside a channel's field of view; None takes that channel's minimum.
        orient: ``keep`` the axes as they are, or turn them to a code such as ``LPS`` by flips
            and permutations.
        resample_label: allow labels on other grids, resampled by nearest neighbour.
        qc: draw each case and tabulate its measures in ``qc/``.
    """

    on_error: Literal["stop", "skip"] = "stop"
    reference: int | str | None = None
    interpolation: Literal["linear", "nearest", "bspline"] = "linear"
    outside: float | None = None
    orient: str = "keep"
    resample_label: bool = False
    qc: bool = True

    def __post_init__(self) -> None:
        sides = sorted(SIDES.get(letter, letter) for letter in self.orient)
        if self.orient != KEEP and sides != sorted(set(SIDES.values())):
            raise ValueError(
                f"orient {self.orient!r} is neither {KEEP} nor three letters, one of L and R, one "
                "of A and P, one of I and S, e.g. LPS or RAS"
            )


@dataclass(frozen=True)
class Check:
    """``check``: how ``nnplug check`` goes about it.

    Attributes:
        repair: ``header`` writes the image's header over those of labels and further channels
            that differ within the tolerances, but by more than nnU-Net allows.
        strict: warnings make the check fail too.
        phi: look for identifying values of the source in everything that was written.
        json: print the report as JSON to standard output.
    """

    repair: Literal["none", "header"] = "none"
    strict: bool = False
    phi: bool = False
    json: bool = False


@dataclass(frozen=True)
class DataSettings:
    """What ``convert``, ``check`` and every later verb know about the data.

    Attributes:
        remap: the steps that a label's values go through, in order; none leaves them.
        workers: processes.
        memory_bound: take fewer workers where the memory does not suffice for all.
    """

    dataset: Dataset
    paths: Paths
    converter: Choice
    remap: tuple[Choice, ...]
    convert: Convert
    workers: int
    memory_bound: bool = field(default=False, kw_only=True)
    check: Check = field(default=Check(), kw_only=True)

    def __post_init__(self) -> None:
        wanted = self.convert.reference
        if wanted is not None and self.reference is None:
            raise ValueError(
                f"convert.reference {wanted!r} is not (just) one of {self.dataset.channels}"
            )

    @property
    def reference(self) -> int | None:
        """The number of the channel that ``convert.reference`` means."""
        wanted = self.convert.reference
        found = [n for n, name in self.dataset.channels.items() if wanted in (n, name)]
        return found[0] if len(found) == 1 else None
