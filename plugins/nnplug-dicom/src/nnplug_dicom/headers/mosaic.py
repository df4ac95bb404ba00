"""Siemens mosaics: all slices of a volume as tiles of one square image.

The tiles run along the rows from the top left; unused ones at the end are black. Where they
belong only the private header says: the number of tiles and the direction from one to the
next. ImagePositionPatient is that of the big image as if it were one slice, so the first
tile's first pixel lies half the difference of the sizes further (NiBabel's documentation,
"DICOM information for Siemens mosaics").

This is the one place where SpacingBetweenSlices (0018,0088) counts: the tiles have no
positions of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug_dicom.headers.csa import read_csa
from nnplug_dicom.headers.header import Header

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_CSA = (0x0029, "SIEMENS CSA HEADER", 0x10)
_TILES = (0x0019, "SIEMENS MR HEADER", 0x0A)
_PARALLEL = 0.999


@dataclass(frozen=True)
class _Layout:
    count: int
    normal: tuple[float, ...]
    step: float


def is_mosaic(header: Header) -> bool:
    """Tell whether an image says that it is a mosaic and isn't one of its tiles."""
    return "MOSAIC" in header.image_type and not header.tiles


def split_mosaic(header: Header) -> list[Header]:
    """Return one header a tile, first slice first.

    Where the private header is missing, damaged or at odds with the public one, the header
    itself is returned; the pixels of it are then refused.
    """
    layout = _read_layout(header)
    if layout is None or header.position is None or header.orientation is None:
        return [header]
    if header.spacing is None or not _is_normal(layout.normal, header.orientation):
        return [header]
    side = isqrt(layout.count - 1) + 1
    if header.rows % side or header.columns % side:
        return [header]
    rows, columns = header.rows // side, header.columns // side
    row, column = np.array(header.orientation[:3]), np.array(header.orientation[3:])
    first = (
        np.array(header.position)
        + (header.columns - columns) / 2 * header.spacing[1] * row
        + (header.rows - rows) / 2 * header.spacing[0] * column
    )
    places = [first + n * layout.step * np.array(layout.normal) for n in range(layout.count)]
    return [
        header._replace(
            rows=rows,
            columns=columns,
            tiles=side,
            frame=number,
            position=(float(place[0]), float(place[1]), float(place[2])),
        )
        for number, place in enumerate(places)
    ]


def _read_layout(header: Header) -> _Layout | None:
    from pydicom import config, dcmread

    try:
        with config.disable_value_validation():
            data = dcmread(header.path, stop_before_pixels=True, force=True)
            public = _private(data, _TILES)
            csa = read_csa(
                bytes(_private(data, _CSA) or b""),
                ("NumberOfImagesInMosaic", "SliceNormalVector"),
            )
            step = float(data.get("SpacingBetweenSlices") or 0)
        counts = {int(v) for v in (public, *csa.get("NumberOfImagesInMosaic", [])) if v}
        normal = tuple(float(v) for v in csa.get("SliceNormalVector", []))
    except (ValueError, TypeError, KeyError, OSError, NotImplementedError):
        return None
    if len(counts) != 1 or len(normal) != 3 or not 0 < step < float("inf"):
        return None
    (count,) = counts
    return _Layout(count, normal, step) if 0 < count <= header.rows else None


def _private(data: Dataset, place: tuple[int, str, int]) -> Any:
    group, creator, element = place
    try:
        return data.private_block(group, creator)[element].value
    except KeyError:
        return None


def _is_normal(vector: Sequence[float], orientation: Sequence[float]) -> bool:
    cross = np.cross(orientation[:3], orientation[3:])
    length = float(np.linalg.norm(vector))
    return abs(length - 1) < 1 - _PARALLEL and abs(float(np.dot(vector, cross))) > _PARALLEL
