"""Functional groups of multi-frame objects: where each frame of a SEG lies (PS3.3, C.7.6.16)."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from nnplug.errors import SourceError
from nnplug_dicom.labels.dataset import numbers
from nnplug_dicom.labels.planes import Planes

LARGEST_FRAME = 2**26
PARALLEL = 1e-3


def frame_groups(header: Dataset) -> list[Dataset]:
    """The functional groups of each frame.

    Raises:
        SourceError: their number is not that of the frames.
    """
    groups = list(header.get("PerFrameFunctionalGroupsSequence", []))
    count = int(header.get("NumberOfFrames", 1))
    if len(groups) != count:
        raise SourceError(f"the header places {len(groups)} of its {count} frames")
    return groups


def group_item(header: Dataset, frame: Dataset, keyword: str) -> Dataset:
    """The item of a functional group that holds for a frame: its own, or the shared one.

    Raises:
        SourceError: there is none.
    """
    for group in (frame, *header.get("SharedFunctionalGroupsSequence", [])):
        if items := group.get(keyword):
            found: Dataset = items[0]
            return found
    raise SourceError(
        f"a frame has no {keyword}",
        hint="is it of a slide or a radiograph? these have no place in a volume",
    )


def frame_planes(header: Dataset) -> Planes:
    """Where all the frames lie.

    Raises:
        SourceError: frames have no place in the patient, are of absurd size or not parallel, or
            the counts of the header don't agree.
    """
    shape = int(header.Rows), int(header.Columns)
    if not 0 < shape[0] * shape[1] <= LARGEST_FRAME:
        raise SourceError(f"the header claims frames of {shape[0]} x {shape[1]} pixels")
    groups = frame_groups(header)
    positions = _values(header, groups, "PlanePositionSequence", "ImagePositionPatient", 3)
    axes = _values(header, groups, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    spacings = _values(header, groups, "PixelMeasuresSequence", "PixelSpacing", 2)
    for values in (axes, spacings):
        if np.ptp(values, axis=0).max() > PARALLEL:
            raise SourceError("its frames differ in orientation or spacing")
    x, y = axes[0, :3], axes[0, 3:]
    skew = max(abs(x @ x - 1), abs(y @ y - 1), abs(x @ y))
    if skew > PARALLEL or spacings.min() <= 0:
        raise SourceError("ImageOrientationPatient or PixelSpacing of its frames can't be right")
    between_rows, between_columns = spacings[0]
    measures = group_item(header, groups[0], "PixelMeasuresSequence")
    return Planes(
        shape,
        np.column_stack([x * between_columns, y * between_rows]),
        positions,
        _length(measures, "SpacingBetweenSlices"),
        _length(measures, "SliceThickness"),
    )


def _values(
    header: Dataset, groups: list[Dataset], sequence: str, keyword: str, length: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    rows = [numbers(group_item(header, group, sequence), keyword) for group in groups]
    if not rows or any(len(row) != length for row in rows):
        raise SourceError(f"{keyword} has not {length} values in each frame")
    return np.stack(rows).reshape(-1, length)


def _length(measures: Dataset, keyword: str) -> float | None:
    found = numbers(measures, keyword)
    return float(found[0]) if len(found) == 1 and found[0] > 0 else None
