"""When two images lie on the same grid, or on the same voxels of it.

Tolerances: spacing and origin 1e-3 mm, direction cosines 1e-4; for voxels that are turned or
shifted, a hundredth of a voxel at every corner. They are wide enough for what the float32
header of a NIfTI file loses, and far below a voxel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

SPACING_MM = 1e-3
ORIGIN_MM = 1e-3
DIRECTION = 1e-4
VOXEL = 0.01


def differences(image: sitk.Image, other: sitk.Image) -> list[str]:
    """What differs between two grids beyond the tolerances, in words; empty if nothing does.

    Sizes and coordinates are in SimpleITK's order x, y, z; lengths in mm.
    """
    found = []
    if image.GetSize() != other.GetSize():
        found.append(f"size {image.GetSize()} against {other.GetSize()} voxels (x, y, z)")
    if _apart(image.GetSpacing(), other.GetSpacing()) > SPACING_MM:
        found.append(f"spacing {_mm(image.GetSpacing())} against {_mm(other.GetSpacing())} mm")
    if _apart(image.GetOrigin(), other.GetOrigin()) > ORIGIN_MM:
        found.append(f"origin {_mm(image.GetOrigin())} against {_mm(other.GetOrigin())} mm")
    gap = _apart(image.GetDirection(), other.GetDirection())
    if gap > DIRECTION:
        found.append(f"direction (cosines up to {gap:.4g} apart)")
    return found


def same_header(image: sitk.Image, other: sitk.Image) -> bool:
    """Whether spacing, origin and direction are equal to the last bit."""
    return bool(
        image.GetSpacing() == other.GetSpacing()
        and image.GetOrigin() == other.GetOrigin()
        and image.GetDirection() == other.GetDirection()
    )


@dataclass(frozen=True)
class Placement:
    """How the voxels of one grid lie among those of another: axes turned, then shifted.

    Attributes:
        axes: for x, y, z of the other grid, which axis (0, 1, 2) of this one runs along it.
        flipped: for x, y, z of the other grid, whether that axis runs against it.
        offset: where, in voxels x, y, z of the other grid, the turned grid begins.
        size: of the turned grid, x, y, z.
    """

    axes: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    offset: tuple[int, int, int]
    size: tuple[int, int, int]

    def turn(self, values: NDArray[Any]) -> NDArray[Any]:
        """A view of ``values`` (z, y, x) with its axes turned to the other grid's."""
        return turned(values, self.axes, self.flipped)

    def covers(self, grid: sitk.Image) -> bool:
        """Whether these are all the voxels of ``grid``, and no others."""
        return self.offset == (0, 0, 0) and self.size == grid.GetSize()

    def __str__(self) -> str:
        parts = []
        if self.axes != (0, 1, 2):
            parts.append("axes in the order " + ", ".join("xyz"[axis] for axis in self.axes))
        if any(self.flipped):
            names = [name for name, flip in zip("xyz", self.flipped, strict=True) if flip]
            parts.append("flipped along " + ", ".join(names))
        return "; ".join(parts) or "axes as they are"


def turned(values: NDArray[Any], axes: Sequence[int], flipped: Sequence[bool]) -> NDArray[Any]:
    """A view of ``values`` (z, y, x) whose x, y, z run along these of its axes x, y, z.

    Args:
        values: three-dimensional.
        axes: for x, y, z of the result, which axis (0, 1, 2 for x, y, z) of ``values`` it is.
        flipped: for x, y, z of the result, whether it runs against that axis.
    """
    order = [2 - axes[axis] for axis in (2, 1, 0)]
    against = tuple(2 - axis for axis in (0, 1, 2) if flipped[axis])
    view: NDArray[Any] = np.flip(values.transpose(order), against)
    return view


def placement(image: sitk.Image, grid: sitk.Image) -> Placement | None:
    """Where the voxels of ``image`` lie in ``grid``, if each is a voxel of the (extended) grid.

    None if the grids differ by more than flips, permutations and whole voxels.
    """
    if image.GetDimension() != 3 or grid.GetDimension() != 3:
        return None
    to_index = np.linalg.inv(_steps(grid))
    linear = to_index @ _steps(image)
    shift = to_index @ np.subtract(image.GetOrigin(), grid.GetOrigin())
    turn, whole_shift = np.rint(linear), np.rint(shift)
    if not np.array_equal(np.abs(turn) @ np.abs(turn).T, np.eye(3)):
        return None
    corners = np.array(list(product(*((0, size - 1) for size in image.GetSize()))))
    whole = corners @ turn.T + whole_shift
    if float(np.max(np.abs(corners @ linear.T + shift - whole))) > VOXEL:
        return None
    x, y, z = (int(axis) for axis in np.argmax(np.abs(turn), axis=1))
    first = whole.min(axis=0).astype(int).tolist()
    size = image.GetSize()
    return Placement(
        axes=(x, y, z),
        flipped=(bool(turn[0].sum() < 0), bool(turn[1].sum() < 0), bool(turn[2].sum() < 0)),
        offset=(first[0], first[1], first[2]),
        size=(size[x], size[y], size[z]),
    )


def _steps(image: sitk.Image) -> NDArray[np.float64]:
    """The patient's millimetres for one voxel along x, y, z, as the columns of a matrix."""
    steps: NDArray[np.float64] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    return steps


def _apart(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    if len(one) != len(other):
        return float("inf")
    return float(np.max(np.abs(np.subtract(one, other))))


def _mm(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"
