"""Slices that are in a series twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnplug_dicom.headers.header import Header
from nnplug_dicom.volumes.pixels import Stored, read_stored, stored_type


def drop_copies(headers: Sequence[Header]) -> tuple[list[Header], int]:
    """Leave out slices that equal another one in place, rescaling and every pixel.

    Returns:
        The headers that are left, in the same order, and how many were left out.
    """
    kept: dict[object, list[Header]] = {}
    for header in headers:
        alike = kept.setdefault((header.position, header.slope, header.intercept), [])
        if not any(_same_pixels(header, other) for other in alike):
            alike.append(header)
    left = {id(h) for alike in kept.values() for h in alike}
    return [h for h in headers if id(h) in left], len(headers) - len(left)


def _same_pixels(one: Header, other: Header) -> bool:
    if one.position is None:
        return False
    return np.array_equal(_pixels(one), _pixels(other))


def _pixels(header: Header) -> Stored:
    plane = np.empty((1, header.rows, header.columns), stored_type(header))
    read_stored([header], plane)
    return plane
