"""From slice positions to one grid, or the reasons why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, degrees
from typing import NoReturn

import numpy as np

from nnplug.errors import SourceError
from nnplug_dicom.headers.header import Header
from nnplug_dicom.volumes.stack import ABSOLUTE_MM, Array, Stack, name_of, stack_slices

RELATIVE = 0.01
COSINE_ROUNDING = 2e-4


@dataclass(frozen=True)
class Grid:
    """A regular grid, in the terms of SimpleITK.

    Attributes:
        size: voxels along x, y, z.
        spacing: mm along x, y, z.
        origin: centre of the first voxel in mm.
        direction: the 3x3 matrix row by row; its columns are the axes x, y, z.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]


@dataclass(frozen=True)
class Fault:
    """Why slices lie on no grid.

    Attributes:
        text: the reason with numbers, for the manifest too: it names no file.
        place: between which slices, with their files, or "".
    """

    text: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.text}{self.place}"


def build_grid(headers: Sequence[Header], min_slices: int = 2) -> Grid:
    """Find the grid that the slices lie on, along the normal of their planes.

    Args:
        headers: one a slice, in any order.
        min_slices: refuse fewer.

    Raises:
        SourceError: the slices are too few, not positioned, repeated, missing, unevenly spaced,
            sheared (gantry tilt) or of different orientation; every reason that applies.
    """
    stack = stack_slices(headers, min_slices)
    if faults := find_faults(stack):
        refuse(faults)
    return even_grid(stack)


def refuse(faults: Sequence[Fault]) -> NoReturn:
    """Raise SourceError with every fault."""
    raise SourceError(
        "; ".join(str(f) for f in faults),
        hint="complete the series or leave the case out; or let converter.geometry=resample "
        "bring image and label onto a regular grid",
    )


def even_grid(stack: Stack) -> Grid:
    """Return the grid of a stack without faults."""
    dz = float(stack.along[-1] - stack.along[0]) / (len(stack.along) - 1)
    return grid_at(stack, stack.positions[0], stack.size, dz)


def grid_at(stack: Stack, origin: Array, size: tuple[int, int, int], dz: float) -> Grid:
    """Return a grid with the stack's axes and pixel spacing, ``dz`` mm from plane to plane."""
    return Grid(
        size=size,
        spacing=(*stack.spacing, dz),
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
        direction=tuple(float(v) for v in stack.axes.ravel()),
    )


def find_faults(stack: Stack) -> list[Fault]:
    """Judge whether the slices are at equal distances, one above the other.

    Steps must keep within 1 % of the usual one, or 0.01 mm where that is more, and the slices
    within as much of equal distances over the whole stack; across the normal the same, plus
    0.2 mm a metre for rounded cosines. Where positions are written with few decimals (0.6, 1.3,
    1.9 for steps of 0.625 mm), what their rounding can do is allowed too, up to 0.09 mm and a
    tenth of the step for each position.
    """
    return [*_shear(stack), *_uneven(stack)]


def _shear(stack: Stack) -> list[Fault]:
    reach = stack.along - stack.along[0]
    across = stack.positions - stack.positions[0] - np.outer(reach, stack.axes[:, 2])
    drift = np.linalg.norm(across, axis=1)
    allowed = _allowed(stack) + COSINE_ROUNDING * reach
    if (drift <= allowed).all():
        return []
    slope = across[-1] / reach[-1]
    angle = degrees(atan2(float(np.linalg.norm(slope)), 1.0))
    rest = float(np.linalg.norm(across - np.outer(reach, slope), axis=1).max())
    if rest <= allowed[-1]:
        return [
            Fault(
                f"the slices are sheared by {angle:.2f} degrees (gantry tilt): positions drift "
                f"{drift.max():.2f} mm off the normal"
            )
        ]
    return [Fault(f"positions wander up to {drift.max():.2f} mm off the normal")]


def _uneven(stack: Stack) -> list[Fault]:
    along, step, allowed = stack.along, stack.step, _allowed(stack)
    steps = np.diff(along)
    spread = f"{steps.min():.3f} to {steps.max():.3f} mm"
    if (wrong := np.flatnonzero(np.abs(steps - step) > allowed)).size:
        counts = np.round(steps[wrong] / step).astype(int)
        at = int(wrong[0])
        place = f" between slices {at + 1} and {at + 2}"
        files = " ({} at {:.2f} mm, {} at {:.2f} mm)".format(
            *(v for n in (at, at + 1) for v in (name_of(stack.headers[n]), along[n]))
        )
        if (counts >= 2).all() and (np.abs(steps[wrong] - counts * step) <= counts * allowed).all():
            missing = int((counts - 1).sum())
            return [
                Fault(
                    f"{missing} slice{'s are' if missing > 1 else ' is'} missing: a gap of "
                    f"{steps[at]:.3f} mm where others are {step:.3f} mm, the first{place}",
                    files,
                )
            ]
        return [
            Fault(f"the distances between slices are uneven, {spread}; the first is{place}", files)
        ]
    even = np.linspace(along[0], along[-1], len(along))
    if (drift := float(np.abs(along - even).max())) > allowed:
        return [Fault(f"slices lie up to {drift:.3f} mm off equal distances, which are {spread}")]
    return []


def _allowed(stack: Stack) -> float:
    return max(RELATIVE * stack.step, ABSOLUTE_MM, stack.rounding)
