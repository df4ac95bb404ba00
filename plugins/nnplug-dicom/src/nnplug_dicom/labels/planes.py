"""Frames with positions of their own, brought onto the voxels of an image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug_dicom.volumes.lattice import Array, Lattice

COINCIDES = 0.05
ONE_PLANE_MM = 0.02
TIE = 1e-4

Frames = Iterable[tuple[int, NDArray[Any]]]


@dataclass(frozen=True, eq=False)
class Planes:
    """Parallel frames of one size (PS3.3, C.7.6.16.2.1 to C.7.6.16.2.4).

    Attributes:
        shape: rows, columns.
        along: 3x2; its columns are the ways in mm from a pixel to the next in its row (x), and
            to the next in its column (y).
        positions: (frames, 3), the centre of each frame's first pixel in mm.
        step: mm between planes as the file declares it, or None.
        thickness: mm that a plane is thick, or None.
    """

    shape: tuple[int, int]
    along: Array
    positions: Array
    step: float | None = None
    thickness: float | None = None

    @property
    def normal(self) -> Array:
        """The unit vector across the planes."""
        across = np.cross(self.along[:, 0], self.along[:, 1])
        return np.asarray(across / np.linalg.norm(across))

    def gaps(self, frames: Sequence[int] | slice = slice(None)) -> Array:
        """mm between neighbouring frames along the normal."""
        return np.diff(np.sort(self.positions[frames] @ self.normal))

    def distance(self) -> float | None:
        """mm from plane to plane: as declared, but never more than the smallest gap; or None."""
        gaps = self.gaps()
        known = [float(gap) for gap in gaps[gaps > ONE_PLANE_MM]]
        return min([*known, self.step] if self.step else known, default=self.thickness)


def bring(
    planes: Planes, frames: Frames, lattice: Lattice, dtype: Any
) -> tuple[NDArray[Any], list[str]]:
    """Put frames onto the voxels of an image.

    Pixels that are voxels of the image, within 0.05 voxels and up to flips, swapped axes and a
    crop, are copied. Otherwise each voxel takes the pixel that is nearest to its centre, in the
    nearest plane if that is within half the distance between planes.

    Args:
        planes: where all the frames of a file lie.
        frames: which of the planes, and its pixels (rows, columns); not two of one plane.
        lattice: the voxels of the image.
        dtype: of the result.

    Returns:
        The values (z, y, x), 0 where no frame lies, and remarks for the manifest.

    Raises:
        SourceError: the planes are on another grid, and nothing tells how far they are apart.
    """
    values = np.zeros(lattice.shape, dtype)
    if (axes := _shared_axes(planes, lattice)) is None:
        _sample(planes, frames, lattice, values)
        return values, ["its grid is not the image's; nearest voxels were taken"]
    lost = _copy(planes, frames, lattice, values, axes)
    return values, [f"voxels outside the image, cut off: {lost}"] if lost else []


def _shared_axes(planes: Planes, lattice: Lattice) -> tuple[int, int, int] | None:
    """The image's axes (0 is x) along a row, a column and the normal, if the voxels coincide."""
    ways = np.linalg.solve(lattice.steps, planes.along)
    row, column = (int(np.argmax(np.abs(way))) for way in ways.T)
    if row == column:
        return None
    across = 3 - row - column
    whole = np.zeros((3, 2))
    whole[[row, column], [0, 1]] = np.sign(ways[[row, column], [0, 1]])
    drift = np.abs(ways - whole) * np.array(planes.shape[::-1])
    starts = lattice.indices(planes.positions)
    off = max(drift.max(), np.abs(starts - np.rint(starts)).max())
    fits = across == 2 if not lattice.regular else _same_distance(planes, lattice.steps[:, across])
    return (row, column, across) if fits and off <= COINCIDES else None


def _same_distance(planes: Planes, step: Array) -> bool:
    """Whether the distance that the file declares, if it does, is the image's."""
    distance = planes.distance() if planes.step else None
    return distance is None or abs(distance / float(np.linalg.norm(step)) - 1) <= COINCIDES


def _copy(
    planes: Planes,
    frames: Frames,
    lattice: Lattice,
    values: NDArray[Any],
    axes: tuple[int, int, int],
) -> int:
    """Copy frames slice by slice; returns how many pixels that are not 0 had no voxel."""
    row, column, across = axes
    view = values.transpose(2 - across, 2 - column, 2 - row)
    starts = np.rint(lattice.indices(planes.positions)).astype(int)[:, [across, column, row]]
    ways = np.linalg.solve(lattice.steps, planes.along)
    for axis, back in ((1, ways[column, 1] < 0), (2, ways[row, 0] < 0)):
        if back:
            view = np.flip(view, axis)
            starts[:, axis] = view.shape[axis] - 1 - starts[:, axis]
    lost = 0
    for plane, pixels in frames:
        k, top, left = starts[plane]
        into, out_of = _overlap((top, left), pixels.shape, view.shape[1:])
        inside = pixels[out_of] if 0 <= k < view.shape[0] else pixels[:0]
        if inside.size:
            view[k][into] = inside
        lost += int(np.count_nonzero(pixels)) - int(np.count_nonzero(inside))
    return lost


def _overlap(
    starts: tuple[int, ...], sizes: tuple[int, ...], limits: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """What a block covers of an array, as slices of the array and of the block."""
    parts = [
        (max(start, 0), max(start, min(start + size, limit), 0), start)
        for start, size, limit in zip(starts, sizes, limits, strict=True)
    ]
    return (
        tuple(slice(low, high) for low, high, _ in parts),
        tuple(slice(low - start, high - start) for low, high, start in parts),
    )


def _sample(planes: Planes, frames: Frames, lattice: Lattice, values: NDArray[Any]) -> None:
    """Give each voxel the value of the nearest pixel; of two, always the same neighbour."""
    reach = planes.distance()
    if not reach:
        raise SourceError(
            "its planes are not the image's slices, and neither SpacingBetweenSlices nor "
            "SliceThickness tells what lies between them",
            hint="resample it onto the image's grid first",
        )
    to_planes = np.linalg.inv(np.column_stack([planes.along, planes.normal]))
    chosen, stack = zip(*frames, strict=True)
    places = planes.positions[list(chosen)] @ to_planes.T
    order = np.argsort(places[:, 2])
    places, pixels = places[order], np.stack(stack)[order]
    middles = (places[1:, 2] + places[:-1, 2]) / 2
    steps = to_planes @ lattice.steps
    starts = lattice.positions @ to_planes.T
    y, x = np.indices(lattice.shape[1:], sparse=True)
    for start, into in zip(starts, values, strict=True):
        u, v, w = (start[a] + steps[a, 0] * x + steps[a, 1] * y for a in range(3))
        plane = np.searchsorted(middles, w + TIE)
        off = w + TIE - places[plane, 2]
        column = np.floor(u - places[plane, 0] + 0.5 + TIE).astype(int)
        row = np.floor(v - places[plane, 1] + 0.5 + TIE).astype(int)
        near = (off >= -reach / 2) & (off < reach / 2)
        near &= (row >= 0) & (row < planes.shape[0]) & (column >= 0) & (column < planes.shape[1])
        into[near] = pixels[plane[near], row[near], column[near]]
