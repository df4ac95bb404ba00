"""The outlines of a mask: closed polygons between its pixels and those around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import find_contours

Points = NDArray[np.float64]


def outlines(mask: NDArray[np.bool_]) -> Iterator[Points]:
    """One polygon for each part of a slice that hangs together by its pixels' sides.

    A polygon runs half a pixel beside the outermost centres, so that exactly the centres of the
    mask are inside by the even-odd rule. Holes are joined to it by channels without width
    ("keyhole", PS3.3, C.8.8.6.3), each along a row of centres that belong to the mask.

    Args:
        mask: rows, columns.

    Yields:
        Each of shape (points, 2): x (column), y (row) in pixels; the centre of the first pixel is
        (0, 0), and the last point is to be joined to the first.
    """
    parts, _ = ndimage.label(mask)
    for number, box in enumerate(ndimage.find_objects(parts), 1):
        part = np.pad(parts[box] == number, 1)
        corner = np.array([box[1].start - 1, box[0].start - 1])
        rings = [_ring(found) for found in find_contours(part.astype(float), 0.5)]
        outer, *holes = sorted(rings, key=_area, reverse=True)
        for hole in sorted(holes, key=lambda ring: float(ring[:, 0].min())):
            outer = _joined(outer, hole)
        yield outer + corner


def _ring(contour: NDArray[Any]) -> Points:
    """Rows and columns of a closed line to x, y, without what lies between two corners."""
    points = contour[:-1, ::-1]
    before, after = np.roll(points, 1, axis=0) - points, np.roll(points, -1, axis=0) - points
    corner = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    return np.asarray(points[corner], np.float64)


def _area(ring: Points) -> float:
    x, y = ring.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def _joined(outer: Points, hole: Points) -> Points:
    """A polygon with a hole in it, by a channel from the hole's leftmost point to the left.

    With the holes taken from left to right, what the channel meets first is part of ``outer``.
    """
    hole = np.roll(hole, -int(hole[:, 0].argmin()), axis=0)
    x, y = hole[0]
    start, end = outer, np.roll(outer, -1, axis=0)
    crossing = (start[:, 1] <= y) != (end[:, 1] <= y)
    rise = np.where(crossing, end[:, 1] - start[:, 1], 1)
    at = start[:, 0] + (y - start[:, 1]) * (end[:, 0] - start[:, 0]) / rise
    at[~crossing | (at >= x)] = -np.inf
    edge = int(at.argmax())
    gate = np.array([[at[edge], y]])
    return np.concatenate([outer[: edge + 1], gate, hole, hole[:1], gate, outer[edge + 1 :]])
