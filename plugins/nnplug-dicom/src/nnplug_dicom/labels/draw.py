"""The label of a case from its DICOM segmentations (SEG) or structure sets (RTSTRUCT)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug.rois import paint
from nnplug_dicom.labels.dataset import guarded, read_dataset
from nnplug_dicom.labels.links import REMARKS, ImageReference, evidence
from nnplug_dicom.labels.matching import Region, Regions, choose_regions
from nnplug_dicom.labels.rtstruct import StructureSet
from nnplug_dicom.labels.seg import Segmentation
from nnplug_dicom.options import DicomLabels
from nnplug_dicom.volumes.lattice import Lattice

__all__ = ["ImageReference", "draw_label", "names"]


def draw_label(
    paths: Sequence[Path],
    lattice: Lattice,
    reference: ImageReference,
    labels: Mapping[str, int],
    options: DicomLabels,
) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """Draw the regions that are the dataset's labels on the slices of a series.

    Regions that name images of the series come first, then those that name the series, those of
    its frame of reference, and at last those where nothing can be compared but positions; see
    :func:`nnplug_dicom.labels.matching.choose_regions`.

    Args:
        paths: every SEG, or every RTSTRUCT, of the case.
        lattice: the voxels to draw on.
        reference: the series that they are of.
        labels: label name to value.
        options: which regions are which label.

    Returns:
        The label (z, y, x) on the lattice, and notes for the manifest.

    Raises:
        SourceError: no file, or more than one, fits; a label has no region or an empty one;
            labels overlap without a priority; or a file is damaged. What is there is listed.
    """
    regions = [
        Region(file, index, evidence(file.links, frame, reference))
        for file in (_open(path, options.threshold) for path in paths)
        for index, frame in enumerate(file.frames)
    ]
    chosen = choose_regions(regions, paths, labels, options)
    notes: dict[str, str] = {}

    def drawn() -> Iterator[tuple[str, NDArray[np.bool_]]]:
        for label, regions in chosen.items():
            mask, notes[f"label {label}"] = _draw(regions, lattice)
            if not mask.any():
                raise _empty(label, regions, notes[f"label {label}"])
            yield label, mask

    values, overlaps = paint(lattice.shape, drawn(), labels, options)
    return values, notes | overlaps


def names(path: Path) -> list[str]:
    """What the segments of a SEG or the ROIs of an RTSTRUCT are called, from its header.

    Raises:
        SourceError: the file is damaged or neither of the two.
    """
    return list(_open(path, threshold=0.5).names)


def _open(path: Path, threshold: float) -> Regions:
    with guarded(path):
        header = read_dataset(path)
        if "SegmentSequence" in header:
            return Segmentation(path, header, threshold)
        if "StructureSetROISequence" in header:
            return StructureSet(path, header)
        raise SourceError("it holds neither segments nor ROIs")


def _draw(regions: Sequence[Region], lattice: Lattice) -> tuple[NDArray[np.bool_], str]:
    """Unite the masks of a label's regions; what the manifest says of them."""
    union = np.zeros(lattice.shape, bool)
    remarks = []
    for region in regions:
        mask, found = region.file.mask(region.index, lattice)
        union |= mask
        remarks += [REMARKS[region.evidence], *found]
    return union, "; ".join(remark for remark in dict.fromkeys(remarks) if remark)


def _empty(label: str, regions: Sequence[Region], note: str) -> SourceError:
    file = regions[0].file
    drawn = ", ".join(region.name for region in regions)
    return SourceError(
        f"the mask of label {label!r} ({drawn}) is empty on this image: {note}",
        where=file.path.name,
        hint=f"choose others with converter.labels.rois; there is: {', '.join(file.names)}",
    )
