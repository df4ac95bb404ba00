"""Slices that lie on no regular grid (tilted, uneven, missing) onto one.

The new grid is right-angled: x and y are those of the slices with their pixel spacing, z is the
normal. Along it the planes run from the first slice to the last, at the usual (median) distance
of the slices, adapted so that the last one is met; missing slices are filled. Across, the grid
covers every slice.

A voxel of the image is interpolated linearly at its own place in the patient: within each of
the two slices between which it lies, then between them. Where one of the two does not reach,
it is outside: the padding value, or the image's minimum. A voxel of a label has the value of
the nearest pixel of the nearest slice, 0 outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug_dicom.volumes.drawn import on_slices
from nnplug_dicom.volumes.geometry import Grid, grid_at
from nnplug_dicom.volumes.stack import Array, Stack

MOST_VOXELS = 1 << 27
MOST_TIMES = 4
_SNAP = 1e-4


@dataclass(frozen=True)
class Resampler:
    """How the slices of a stack get onto a regular grid.

    Attributes:
        stack: the slices.
        grid: the regular grid.
        shifts: for each slice, where its first pixel lies in the grid along x and y, in voxels;
            (slices, 2), not negative.
    """

    stack: Stack
    grid: Grid
    shifts: Array

    @classmethod
    def plan(cls, stack: Stack) -> Resampler:
        """Choose the grid; see the module's text.

        Raises:
            SourceError: the grid would have more than 4 times the voxels of the slices, and
                more than 2**27.
        """
        spacing = np.array(stack.spacing)
        inplane = (stack.positions - stack.positions[0]) @ stack.axes[:, :2]
        lowest = inplane.min(axis=0)
        shifts = (inplane - lowest) / spacing
        shifts = np.where(np.abs(shifts - shifts.round()) < _SNAP, shifts.round(), shifts)
        extent = float(stack.along[-1] - stack.along[0])
        steps = max(round(extent / float(np.median(np.diff(stack.along)))), 1)
        right, down = (ceil(shift) for shift in shifts.max(axis=0))
        size = (stack.size[0] + right, stack.size[1] + down, steps + 1)
        before, after = prod(stack.size), prod(size)
        if after > max(MOST_TIMES * before, MOST_VOXELS):
            raise SourceError(
                f"on a regular grid the {stack.size[2]} slices would become "
                f"{size[0]} x {size[1]} x {size[2]} voxels, {after / before:.1f} times as many",
                hint="look for slices that don't belong to the series",
            )
        origin = stack.positions[0] + stack.axes[:, :2] @ lowest
        return cls(stack, grid_at(stack, origin, size, extent / steps), shifts)

    def __str__(self) -> str:
        size = " x ".join(str(n) for n in self.grid.size)
        spacing = " x ".join(f"{v:.4g}" for v in self.grid.spacing)
        return (
            f"{self.stack.size[2]} slices were resampled linearly to {size} voxels of {spacing} mm"
        )

    def image(self, values: NDArray[Any], padding: float | None) -> NDArray[Any]:
        """Interpolate the image.

        Args:
            values: of the slices, in the stack's order (slices, rows, columns).
            padding: the value for voxels outside; the minimum of ``values`` where it is None or
                beyond their range.

        Returns:
            An array (z, y, x) on the grid, of the same type; integers are rounded.
        """
        low, high = values.min(), values.max()
        outside = low if padding is None or not low <= padding <= high else padding
        out = np.empty(self.grid.size[::-1], values.dtype)
        placed: dict[int, Array] = {}
        for plane, below, part in zip(out, *self._neighbours(), strict=True):
            needed = [n for n, w in ((below, 1 - part), (below + 1, part)) if w > 0]
            placed = {n: placed[n] if n in placed else self._place(values[n], n) for n in needed}
            mixed = placed[needed[0]]
            if len(needed) == 2:
                mixed = (1 - part) * placed[below] + part * placed[below + 1]
            mixed = np.where(np.isnan(mixed), outside, mixed)
            plane[...] = mixed if values.dtype.kind == "f" else np.rint(mixed)
        return out

    def _neighbours(self) -> tuple[NDArray[np.intp], Array]:
        """For each plane of the grid the slice below it, and the part of the way to the next."""
        along = self.stack.along
        places = np.linspace(along[0], along[-1], self.grid.size[2])
        below = np.clip(np.searchsorted(along, places, side="right") - 1, 0, len(along) - 2)
        part = (places - along[below]) / np.diff(along)[below]
        part = np.where(part < _SNAP, 0.0, np.where(part > 1 - _SNAP, 1.0, part))
        return below, part

    def _place(self, values: NDArray[Any], number: int) -> Array:
        """One slice on a plane of the grid, float64; NaN where it does not reach."""
        plane = values.astype(np.float64)
        for axis, shift in ((1, self.shifts[number, 0]), (0, self.shifts[number, 1])):
            plane = _shift(plane, float(shift), self.grid.size[1 - axis], axis)
        return plane

    def label(self, label: sitk.Image) -> NDArray[Any] | None:
        """Take a label on the slices to the grid.

        Args:
            label: as drawn on the slices, one plane a slice, in any order of axes. What its
                header says about the distances of slices doesn't count: it can't be true.

        Returns:
            An array (z, y, x) on the grid, or None for a label that is not on the slices.

        Raises:
            SourceError: it could as well be on the new grid.
        """
        slices = on_slices(label, self.stack)
        if slices is None:
            return None
        if slices.shape == self.grid.size[::-1]:
            raise SourceError(
                "the label fits the slices as they are, and the regular grid that they are "
                "resampled to",
                hint="convert the series without its label, and draw or check the label there",
            )
        return self.place(slices)

    def place(self, slices: NDArray[Any]) -> NDArray[Any]:
        """Take label values on the slices to the grid.

        Args:
            slices: in the stack's order (slices, rows, columns).

        Returns:
            An array (z, y, x) on the grid.
        """
        below, part = self._neighbours()
        out = np.zeros(self.grid.size[::-1], slices.dtype)
        rows, columns = slices.shape[1:]
        for plane, nearest in zip(out, below + (part > 0.5), strict=True):
            left, top = np.rint(self.shifts[nearest]).astype(int)
            plane[top : top + rows, left : left + columns] = slices[nearest]
        return out


def _shift(plane: Array, shift: float, size: int, axis: int) -> Array:
    values = np.moveaxis(plane, axis, 0)
    whole = int(np.floor(shift))
    part, count = shift - whole, len(values)
    out = np.full((size, values.shape[1]), np.nan)
    if part:
        mixed = (1 - part) * values[1:] + part * values[:-1]
        out[whole + 1 : whole + count] = mixed
    else:
        out[whole : whole + count] = values
    return np.moveaxis(out, 0, axis)
