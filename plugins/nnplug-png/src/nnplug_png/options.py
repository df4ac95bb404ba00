"""The options of the converter ``png``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PngOptions:
    """What the files don't say.

    Attributes:
        spacing: voxel size along x (columns), y (rows), z (slices) in mm; needed.
        origin: position of the first voxel along x, y, z in mm.
        rgb: what to do with colour images: ``error`` refuses them, ``split`` makes three
            channels of them, ``luminance`` one grey one.
    """

    spacing: tuple[float, float, float] | None = None
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rgb: Literal["error", "split", "luminance"] = "error"

    def __post_init__(self) -> None:
        """Turn lists into tuples of floats.

        Raises:
            ValueError: a value is out of range.
        """
        if self.spacing is not None:
            spacing = _three("spacing", self.spacing)
            if min(spacing) <= 0:
                raise ValueError(f"spacing={list(spacing)}: every value has to be above 0 mm")
            object.__setattr__(self, "spacing", spacing)
        object.__setattr__(self, "origin", _three("origin", self.origin))
        if self.rgb not in ("error", "split", "luminance"):
            raise ValueError(f"rgb={self.rgb!r} is none of error, split, luminance")


def _three(name: str, values: object) -> tuple[float, float, float]:
    listed = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []
    numbers = [float(v) for v in listed if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(listed) != 3 or len(numbers) != 3 or not all(math.isfinite(n) for n in numbers):
        raise ValueError(f"{name}={values!r} is not three finite numbers [x, y, z] in mm")
    return numbers[0], numbers[1], numbers[2]
