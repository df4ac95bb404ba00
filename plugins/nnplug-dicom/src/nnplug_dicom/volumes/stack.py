"""Slices in the order of their places: what every judgement of a series' geometry starts from.

Only ImagePositionPatient and ImageOrientationPatient count (PS3.3, C.7.6.2.1.1): with the unit
vectors ``x`` along a row and ``y`` along a column, pixel ``(i, j)`` of a slice at position ``S``
lies at ``S + i * dx * x + j * dy * y``. SliceLocation, SpacingBetweenSlices, SliceThickness and
the order of files or InstanceNumbers are never used. Lengths are in mm, the axes are DICOM's
(and SimpleITK's) LPS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug_dicom.cases.index import ORIENTATION_TOLERANCE
from nnplug_dicom.headers.header import Header

ABSOLUTE_MM = 0.01
COSINES = 1e-3
_ROUNDING_MM = 0.09
_ROUNDING_PART = 0.1
_DECIMALS = 9

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stack:
    """Parallel slices of one size, sorted along their normal.

    Attributes:
        order: indices of the headers from the first slice to the last.
        headers: the headers in that order.
        axes: 3x3, in its columns the unit vectors x (along a row), y (along a column) and z
            (the normal, ``x`` cross ``y``).
        positions: the place of each slice's first pixel, (slices, 3) in mm.
        along: the same along the normal, (slices,) in mm, rising.
        step: the usual distance between neighbours along the normal in mm.
        rounding: how far two positions can be off in their difference along an axis, as they
            were written with few decimals; in mm.
    """

    order: tuple[int, ...]
    headers: tuple[Header, ...]
    axes: Array
    positions: Array
    along: Array
    step: float
    rounding: float

    @property
    def size(self) -> tuple[int, int, int]:
        """Columns, rows, slices."""
        return self.headers[0].columns, self.headers[0].rows, len(self.headers)

    @property
    def spacing(self) -> tuple[float, float]:
        """Between columns (x), between rows (y), in mm."""
        dy, dx = self.headers[0].spacing or (0.0, 0.0)
        return dx, dy


def stack_slices(headers: Sequence[Header], min_slices: int) -> Stack:
    """Sort slices by their places.

    Args:
        headers: one a slice, in any order.
        min_slices: refuse fewer; at least 2.

    Raises:
        SourceError: the slices are too few, not positioned, repeated, or differ in size or
            orientation.
    """
    axes = _axes(headers)
    positions = np.array([h.position for h in headers], dtype=np.float64)
    if len(headers) < min_slices:
        raise SourceError(
            f"{_count(len(headers))}, at least {min_slices} are needed to tell the distance "
            "between slices from their positions",
            hint="converter.min_slices=2 accepts two" if len(headers) == 2 else None,
        )
    along = positions @ axes[:, 2]
    order = np.argsort(along, kind="stable")
    positions, along = positions[order], along[order]
    ordered = tuple(headers[i] for i in order)
    _refuse_repeated(ordered, positions, along)
    steps = np.diff(along)
    step = float(np.median(steps))
    rounding = _rounding(positions, axes[:, 2], step)
    usual = steps[np.abs(steps - step) <= max(2 * rounding, ABSOLUTE_MM)]
    return Stack(
        order=tuple(int(i) for i in order),
        headers=ordered,
        axes=axes,
        positions=positions,
        along=along,
        step=float(usual.mean()) if usual.size else step,
        rounding=rounding,
    )


def _axes(headers: Sequence[Header]) -> Array:
    for header in headers:
        if header.position is None or header.orientation is None:
            raise SourceError(
                "the images are not a volume: no ImagePositionPatient or "
                f"ImageOrientationPatient in {name_of(header)}"
            )
        if header.spacing is None or not min(header.spacing) > 0:
            raise SourceError(f"no usable PixelSpacing in {name_of(header)}")
        if not all(map(isfinite, (*header.position, *header.orientation, *header.spacing))):
            raise SourceError(f"position or orientation is not a number in {name_of(header)}")
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
    return np.stack([x, y, np.cross(x, y)], axis=1)


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
        f"normal ({name_of(first)} and {name_of(second)})",
        hint="remove copies; split echoes, phases or reconstructions into folders",
    )


def _rounding(positions: Array, normal: Array, step: float) -> float:
    """Tell how much two positions differ at most because of the decimals they are written with.

    A last decimal of ``q`` mm puts each coordinate off by ``q / 2`` at most. It is taken from
    the numbers themselves. For one position it counts up to 0.09 mm, which is what one decimal
    can do to oblique slices, and up to a tenth of the step.
    """
    decimals = 0
    while decimals < _DECIMALS and np.abs(positions - positions.round(decimals)).max() > 1e-9:
        decimals += 1
    off = 0.5 * 10.0**-decimals * float(np.abs(normal).sum())
    return 2 * min(off, _ROUNDING_MM, _ROUNDING_PART * step)


def name_of(header: Header) -> str:
    """The file of a plane, and which frame of it."""
    name = header.name
    return name if header.frame is None else f"{name} frame {header.frame + 1}"


def _count(number: int) -> str:
    return "there is only 1 slice" if number == 1 else f"there are only {number} slices"
