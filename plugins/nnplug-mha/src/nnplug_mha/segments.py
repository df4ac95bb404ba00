"""Segments of a 3D Slicer segmentation (``.seg.nrrd``) to one label.

Keys: https://slicer.readthedocs.io/en/latest/developer_guide/modules/segmentations.html,
"Segmentation file format". Segments that overlap lie in several layers, along a list axis.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug.formats.itk import read_channels
from nnplug.formats.nrrd import read_header
from nnplug.rois import RoiOptions, choose, paint

_EXPORT = "save the segmentation again with 3D Slicer"


@dataclass(frozen=True)
class Segment:
    """One segment: the voxels of a layer that hold its value."""

    name: str
    layer: int
    value: int


def segments(path: Path) -> list[Segment]:
    """List the segments of a file, from its header; empty where it has no names.

    Files of 3D Slicer before 4.11 give neither value nor layer: every segment is a layer of
    ones.

    Raises:
        SourceError: two segments are the same voxels, or a number is none.
    """
    if not path.name.lower().endswith((".nrrd", ".nhdr")):
        return []
    pairs = read_header(path).pairs
    numbers = sorted(int(m[1]) for key in pairs if (m := re.fullmatch(r"Segment(\d+)_ID", key)))
    if not numbers:
        numbers = sorted(
            int(m[1]) for key in pairs if (m := re.fullmatch(r"Segment(\d+)_Name", key))
        )
    layered = any(f"Segment{n}_LabelValue" in pairs for n in numbers)
    found = []
    for position, number in enumerate(numbers):
        lead = f"Segment{number}_"
        name = pairs.get(f"{lead}Name") or pairs.get(f"{lead}ID", "")
        try:
            layer = int(pairs.get(f"{lead}Layer", 0 if layered else position))
            value = int(pairs.get(f"{lead}LabelValue", 1))
            if value < 1:
                raise ValueError
        except ValueError as error:
            raise SourceError(
                f"the layer or value of segment {name!r} is no number above 0",
                where=str(path),
                hint=_EXPORT,
            ) from error
        found.append(Segment(name, layer, value))
    places = [(s.layer, s.value) for s in found]
    if twins := [s.name for s in found if places.count((s.layer, s.value)) > 1]:
        raise SourceError(
            f"the segments {', '.join(twins)} are the same voxels", where=str(path), hint=_EXPORT
        )
    return found


def read_label(
    path: Path, found: list[Segment], labels: Mapping[str, int], options: RoiOptions
) -> tuple[sitk.Image, dict[str, str]]:
    """Read a segmentation as one label.

    Args:
        path: the file.
        found: its segments.
        labels: label name to value of the dataset.
        options: which segments are which label.

    Returns:
        The label (uint8) on the file's own grid, which may be a part of the image's, and notes
        for the manifest.

    Raises:
        SourceError: the file can't be read, voxels belong to no segment, a segment's layer is
            missing, or :func:`nnplug.rois.choose` or :func:`nnplug.rois.paint` refuses.
    """
    try:
        volumes = read_channels(path)
        layers = [sitk.GetArrayViewFromImage(image) for image in volumes.images]
        _check(found, layers)
        chosen = choose([s.name for s in found], labels, options)

        def masks() -> Iterator[tuple[str, NDArray[np.bool_]]]:
            for label, indices in chosen.items():
                mask = np.zeros(layers[0].shape, bool)
                for segment in (found[i] for i in indices):
                    mask |= layers[segment.layer] == segment.value
                yield label, mask

        values, notes = paint(layers[0].shape, masks(), labels, options)
    except SourceError as error:
        where = error.where if error.where and error.where != str(path) else None
        raise SourceError(
            error.problem, where=", ".join(filter(None, (where, str(path)))), hint=error.hint
        ) from error
    label = sitk.GetImageFromArray(values)
    label.CopyInformation(volumes.images[0])
    return label, notes


def _check(found: list[Segment], layers: list[NDArray[np.generic]]) -> None:
    if missing := [s for s in found if not 0 <= s.layer < len(layers)]:
        raise SourceError(
            f"segment {missing[0].name!r} is in layer {missing[0].layer}, the file has "
            f"{len(layers)}",
            hint=_EXPORT,
        )
    for number, layer in enumerate(layers):
        known = {0, *(s.value for s in found if s.layer == number)}
        values, counts = np.unique(layer, return_counts=True)
        strange = {v.item(): int(n) for v, n in zip(values, counts, strict=True) if v not in known}
        if strange:
            listed = ", ".join(f"{value} ({n} voxels)" for value, n in list(strange.items())[:5])
            raise SourceError(f"layer {number} holds values of no segment: {listed}", hint=_EXPORT)
