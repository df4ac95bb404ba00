"""From slice positions to one grid, or the reason why there is none.

Only ImagePositionPatient and ImageOrientationPatient count (PS3.3, C.7.6.2.1.1): with the unit
vectors ``x`` along a row and ``y`` along a column, pixel ``(i, j)`` of a slice at position ``S``
lies at ``S + i * dx * x + j * dy * y``. SliceLocation, SpacingBetweenSlices, SliceThickness and
the order of files or InstanceNumbers are never used. Lengths are in mm, the axes are DICOM's
(and SimpleITK's) LPS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, degrees

import numpy as np
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug_dicom.header import Header
from nnplug_dicom.index import ORIENTATION_TOLERANCE

RELATIVE = 0.01
ABSOLUTE_MM = 0.01
COSINES = 1e-3
ROUNDED = 2e-4

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """A regular grid, in the terms of SimpleITK.

    Attributes:
        order: indices of the headers from the first slice to the last.
        size: voxels along x, y, z.
        spacing: mm along x, y, z.
        origin: centre of the first voxel in mm.
        direction: the 3x3 matrix row by row; its columns are the axes x, y, z.
    """

    order: tuple[int, ...]
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]


def build_grid(headers: Sequence[Header], min_slices: int = 2) -> Grid:
    """Find the grid that the slices lie on, along the normal of their planes.

    Slices must keep within 1 % of the spacing, or 0.01 mm where that is more, of equal steps;
    across the normal the same, plus 0.2 mm a metre for rounded cosines. Row and column must be
    unit vectors at right angles within 1e-3; what is left of that is rounding and is removed.

    Args:
        headers: one a slice, in any order.
        min_slices: refuse fewer.

    Raises:
        SourceError: the slices are too few, not positioned, repeated, missing, unevenly spaced,
            sheared (gantry tilt) or of different orientation; every reason that applies.
    """
    x, y, normal = _axes(headers)
    positions = np.array([h.position for h in headers], dtype=np.float64)
    if len(headers) < min_slices:
        raise SourceError(
            f"{_count(len(headers))}, at least {min_slices} are needed to tell the distance "
            "between slices from their positions",
            hint="converter.min_slices=2 accepts two" if len(headers) == 2 else None,
        )
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    positions, along = positions[order], along[order]
    ordered = [headers[i] for i in order]
    _refuse_repeated(ordered, positions, along)
    step = float(np.median(np.diff(along)))
    problems = [*_unsheared(positions, along, normal, step), *_uneven(ordered, along, step)]
    if problems:
        raise SourceError(
            "; ".join(problems),
            hint="complete the series or leave the case out; slices are not resampled",
        )
    rows, columns = headers[0].rows, headers[0].columns
    dy, dx = headers[0].spacing or (0.0, 0.0)
    dz = float(along[-1] - along[0]) / (len(headers) - 1)
    return Grid(
        order=tuple(int(i) for i in order),
        size=(columns, rows, len(headers)),
        spacing=(dx, dy, dz),
        origin=(float(positions[0, 0]), float(positions[0, 1]), float(positions[0, 2])),
        direction=tuple(float(v) for v in np.stack([x, y, normal], axis=1).ravel()),
    )


def _axes(headers: Sequence[Header]) -> tuple[Array, Array, Array]:
    for header in headers:
        if header.position is None or header.orientation is None:
            raise SourceError(
                "the images are not a volume: no ImagePositionPatient or "
                f"ImageOrientationPatient in {header.path.name}"
            )
        if header.spacing is None or not min(header.spacing) > 0:
            raise SourceError(f"no usable PixelSpacing in {header.path.name}")
        if not np.isfinite([*header.position, *header.orientation, *header.spacing]).all():
            raise SourceError(f"position or orientation is not a number in {header.path.name}")
    if len({(h.rows, h.columns) for h in headers}) > 1:
        raise SourceError("the images differ in size")
    cosines = np.array([h.orientation for h in headers], dtype=np.float64)
    if np.abs(cosines - cosines[0]).max() > 2 * ORIENTATION_TOLERANCE:
        raise SourceError("the images differ in orientation")
    x, y = cosines[0, :3], cosines[0, 3:]
    lengths = np.linalg.norm(x), np.linalg.norm(y)
    if max(abs(float(v) - 1) for v in lengths) > COSINES or abs(float(x @ y)) > COSINES:
        raise SourceError(
            f"ImageOrientationPatient is no pair of unit vectors at right angles: lengths "
            f"{lengths[0]:.4f} and {lengths[1]:.4f}, product {float(x @ y):.4f}"
        )
    x = x / lengths[0]
    y = y - (x @ y) * x
    y = y / np.linalg.norm(y)
    return x, y, np.cross(x, y)


def _refuse_repeated(ordered: Sequence[Header], positions: Array, along: Array) -> None:
    steps = np.diff(along)
    again = np.flatnonzero(steps < ABSOLUTE_MM)
    if not len(again):
        return
    if len(again) == len(steps) and np.ptp(positions, axis=0).max() < ABSOLUTE_MM:
        raise SourceError(
            f"the images are not a volume: all {len(ordered)} lie at one position",
            hint="one image a position is needed; a time series has to be split",
        )
    first, second = ordered[again[0]], ordered[again[0] + 1]
    raise SourceError(
        f"{len(again)} positions are repeated, the first at {along[again[0]]:.2f} mm along the "
        f"normal ({first.path.name} and {second.path.name})",
        hint="remove copies; split echoes, phases or reconstructions into folders",
    )


def _unsheared(positions: Array, along: Array, normal: Array, step: float) -> list[str]:
    across = positions - positions[0] - np.outer(along - along[0], normal)
    reach = along - along[0]
    drift = np.linalg.norm(across, axis=1)
    allowed = max(RELATIVE * step, ABSOLUTE_MM) + ROUNDED * reach
    if (drift <= allowed).all():
        return []
    slope = across[-1] / reach[-1]
    angle = degrees(atan2(float(np.linalg.norm(slope)), 1.0))
    rest = float(np.linalg.norm(across - np.outer(reach, slope), axis=1).max())
    if rest <= max(RELATIVE * step, ABSOLUTE_MM) + ROUNDED * float(reach[-1]):
        return [
            f"the slices are sheared by {angle:.2f} degrees (gantry tilt): positions drift "
            f"{drift.max():.2f} mm off the normal"
        ]
    return [f"positions wander up to {drift.max():.2f} mm off the normal"]


def _uneven(ordered: Sequence[Header], along: Array, step: float) -> list[str]:
    steps = np.diff(along)
    allowed = max(RELATIVE * step, ABSOLUTE_MM)
    spread = f"{steps.min():.3f} to {steps.max():.3f} mm"
    if (wrong := np.flatnonzero(np.abs(steps - step) > allowed)).size:
        counts = np.round(steps[wrong] / step).astype(int)
        at = int(wrong[0])
        place = (
            f"between slices {at + 1} and {at + 2} ({ordered[at].path.name} at "
            f"{along[at]:.2f} mm, {ordered[at + 1].path.name} at {along[at + 1]:.2f} mm)"
        )
        if (counts >= 2).all() and (np.abs(steps[wrong] - counts * step) <= counts * allowed).all():
            missing = int((counts - 1).sum())
            return [
                f"{missing} slice{'s are' if missing > 1 else ' is'} missing, the first {place}: "
                f"the gap is {steps[at]:.3f} mm where others are {step:.3f} mm"
            ]
        return [f"the distances between slices are uneven, {spread}; the first is {place}"]
    even = np.linspace(along[0], along[-1], len(along))
    if (drift := float(np.abs(along - even).max())) > allowed:
        return [f"slices lie up to {drift:.3f} mm off equal distances, which are {spread}"]
    return []


def _count(number: int) -> str:
    return "there is only 1 slice" if number == 1 else f"there are only {number} slices"
