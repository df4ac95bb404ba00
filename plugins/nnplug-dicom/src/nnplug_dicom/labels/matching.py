"""Which regions of which files are the labels of a case."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nnplug.errors import SourceError
from nnplug.rois import RoiOptions, choose
from nnplug_dicom.labels.links import Evidence, Links

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnplug_dicom.volumes.lattice import Lattice


class Regions(Protocol):
    """The named regions of one file.

    Attributes:
        path: the file.
        names: what each region is called.
        numbers: the number of each (SegmentNumber, ROINumber).
        frames: the FrameOfReferenceUID of each, or "".
        links: the images that the file refers to.
    """

    path: Path
    names: tuple[str, ...]
    numbers: tuple[int, ...]
    frames: tuple[str, ...]

    @property
    def links(self) -> Links: ...

    def mask(self, index: int, lattice: Lattice) -> tuple[NDArray[np.bool_], list[str]]:
        """Draw a region: a mask (z, y, x), and remarks for the manifest."""
        ...


@dataclass(frozen=True)
class Region:
    """One region of a file, and why it is taken to belong to the image."""

    file: Regions
    index: int
    evidence: Evidence

    @property
    def name(self) -> str:
        """What it is called."""
        return self.file.names[self.index]


def choose_regions(
    regions: Sequence[Region],
    paths: Sequence[Path],
    labels: Mapping[str, int],
    options: RoiOptions,
) -> dict[str, list[Region]]:
    """Choose the regions of each label on the best evidence on which every label has one.

    A label's regions come from one file. Several files share the labels if each label is in one
    of them only; otherwise the one file that has them all is taken. Regions of another frame of
    reference are never taken.

    Args:
        regions: of all files.
        paths: the files, for messages.
        labels: label name to value.
        options: how labels and regions are matched.

    Returns:
        As :func:`nnplug.rois.choose`, with regions in place of indices.

    Raises:
        SourceError: no file fits or more than one; what is there is listed.
    """
    usable = [region for region in regions if region.evidence < Evidence.NONE]
    foreign = {region.file.path for region in regions} - {region.file.path for region in usable}
    if foreign and not usable:
        raise SourceError(
            "belongs to another image: neither its frame of reference nor any image that it "
            "names is this one's",
            where=_listed(paths),
            hint="put it into the case of the images that it was drawn on",
        )
    for worst in sorted({region.evidence for region in usable}):
        pool = [region for region in usable if region.evidence <= worst]
        chosen = _matched(pool, labels, options)
        if not chosen:
            continue
        if all(len({region.file.path for region in found}) == 1 for found in chosen.values()):
            return chosen
        return _only_file(pool, paths, labels, options)
    try:
        return _match(usable, labels, options)
    except SourceError as error:
        hint = error.hint or ""
        if foreign:
            hint += f"; {_listed(sorted(foreign))} is of another frame of reference"
        raise SourceError(error.problem, where=error.where or _listed(paths), hint=hint) from error


def _only_file(
    pool: Sequence[Region],
    paths: Sequence[Path],
    labels: Mapping[str, int],
    options: RoiOptions,
) -> dict[str, list[Region]]:
    """Where files compete for a label: the one of them that has all labels."""
    by_file: dict[Path, list[Region]] = {}
    for region in pool:
        by_file.setdefault(region.file.path, []).append(region)
    fitting = [found for own in by_file.values() if (found := _matched(own, labels, options))]
    if len(fitting) == 1:
        return fitting[0]
    listing = "; ".join(
        f"{_listed([path], paths)}: {', '.join(region.name for region in own)}"
        for path, own in by_file.items()
    )
    raise SourceError(
        f"{len(by_file)} files have regions for the same label: {listing}",
        hint="narrow converter.labels.rois, or move the files that are not meant elsewhere",
    )


def _matched(
    regions: Sequence[Region], labels: Mapping[str, int], options: RoiOptions
) -> dict[str, list[Region]]:
    try:
        return _match(regions, labels, options)
    except SourceError:
        return {}


def _match(
    regions: Sequence[Region], labels: Mapping[str, int], options: RoiOptions
) -> dict[str, list[Region]]:
    numbers = [region.file.numbers[region.index] for region in regions]
    chosen = choose([region.name for region in regions], labels, options, numbers)
    return {label: [regions[i] for i in found] for label, found in chosen.items()}


def _listed(paths: Sequence[Path], among: Sequence[Path] = ()) -> str:
    """File names, with as many folders as tell them apart."""
    root = os.path.commonpath([path.parent for path in among or paths])
    return ", ".join(path.relative_to(root).as_posix() for path in paths)
