"""From closed contours to a mask: which pixel centres lie inside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

ON_CONTOUR = 1e-5
_OCTANTS = [(2, 1), (1, 2), (-1, 2), (-2, 1), (-2, -1), (-1, -2), (1, -2), (2, -1)]
_AROUND = ON_CONTOUR / 2 * np.array(_OCTANTS)
_EDGES_AT_ONCE = 4096


def fill(contours: Sequence[Points], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Rasterise the closed contours of one region in one slice.

    A pixel belongs to the region if its centre is inside by the even-odd rule over all contours
    together: a contour within another is a hole, and so is what a keyhole's channel leads to
    (PS3.3, C.8.8.6.3). A centre on a contour belongs to the region as well, so that masks traced
    along the centres of their pixels come back as they were. For this the rule is asked 1e-5
    pixels from each centre, once in each octant.

    Args:
        contours: each of shape (points, 2): x (column), y (row) in pixels, finite; the centre
            of the first pixel is (0, 0). The last point is joined to the first.
        shape: rows, columns.

    Returns:
        The mask (rows, columns).
    """
    mask = np.zeros(shape, bool)
    points = np.concatenate(contours)
    limit = np.array(shape[::-1])
    low = np.clip(np.floor(points.min(axis=0)), 0, limit).astype(int)
    high = np.clip(np.ceil(points.max(axis=0)) + 1, low, limit).astype(int)
    lower, upper = _edges([contour - low for contour in contours])
    box = mask[low[1] : high[1], low[0] : high[0]]
    for shift in _AROUND:
        box |= _even_odd(lower + shift, upper + shift, (box.shape[0], box.shape[1]))
    return mask


def _edges(contours: Sequence[Points]) -> tuple[Points, Points]:
    """The ends of every edge, the one with the lower y first.

    This order makes an edge that is drawn there and back, as the channel of a keyhole, cross
    each row at bitwise equal places, so that it leaves no trace.
    """
    start = np.concatenate(contours)
    end = np.concatenate([np.roll(points, -1, axis=0) for points in contours])
    falls = (start[:, 1] > end[:, 1])[:, None]
    return np.where(falls, end, start), np.where(falls, start, end)


def _even_odd(lower: Points, upper: Points, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A centre is inside if an odd number of edges cross its row at or before it."""
    rows, columns = shape
    odd = np.zeros((rows, columns + 1), bool)
    for block in range(0, len(lower), _EDGES_AT_ONCE):
        part = slice(block, block + _EDGES_AT_ONCE)
        row, x = _crossings(lower[part], upper[part], rows)
        column = np.clip(np.ceil(x), 0, columns).astype(np.intp)
        np.logical_xor.at(odd, (row, column), True)
    return np.logical_xor.accumulate(odd, axis=1)[:, :columns]


def _crossings(lower: Points, upper: Points, rows: int) -> tuple[NDArray[np.intp], Points]:
    """Row and x of every crossing of an edge with a row of centres; upper ends don't count."""
    first, last = (np.clip(np.ceil(p[:, 1]), 0, rows).astype(np.intp) for p in (lower, upper))
    count = last - first
    edge = np.repeat(np.arange(len(count)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count - first, count)
    (x0, y0), (x1, y1) = lower[edge].T, upper[edge].T
    return row, x0 + (row - y0) * ((x1 - x0) / (y1 - y0))
