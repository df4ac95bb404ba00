"""The NIfTI converter that comes with nnplug."""

from __future__ import annotations

from dataclasses import replace

from nnplug.errors import SourceError
from nnplug.formats import decathlon
from nnplug.formats.itk import outline, with_data_files
from nnplug.formats.masks import knows_labels, read_with_masks
from nnplug.formats.options import NiftiOptions
from nnplug.layout import find_cases
from nnplug.types import Case, CaseSource, Source

SUFFIXES = (".nii", ".nii.gz", ".hdr")


class NiftiConverter:
    """Reads ``.nii``, ``.nii.gz`` and ``.hdr``/``.img`` files, images and labels."""

    def __init__(self, options: NiftiOptions | None = None) -> None:
        self.options = options or NiftiOptions()

    def discover(self, source: Source) -> list[CaseSource]:
        """List the cases: those of a Decathlon task's ``dataset.json``, or by names.

        Several channels may lie along the fourth axis of one file. A label may be a folder with
        one mask a region.

        Raises:
            SourceError: see :func:`nnplug.layout.find_cases` and
                :func:`nnplug.formats.decathlon.cases`.
        """
        task = decathlon.read(source.root) if not source.layout.images else None
        if task:
            return decathlon.cases(task, source)
        cases = _channels_inside(source) or _find(source)
        return [knows_labels(with_data_files(case), source.labels) for case in cases]

    def read(self, case: CaseSource) -> Case:
        """Read one case; see :func:`nnplug.formats.masks.read_with_masks`."""
        return read_with_masks(case, self.options.labels, self.options.form)


def _find(source: Source) -> list[CaseSource]:
    return find_cases(source, suffixes=SUFFIXES, mask_folders=True)


def _channels_inside(source: Source) -> list[CaseSource]:
    """The cases, if the first image holds as many volumes as there are channels; else none."""
    count = len(source.channels)
    if count == 1:
        return []
    first = min(source.channels)
    try:
        one = replace(source, channels={first: source.channels[first]})
        cases = _find(one)
        image = next((c.images[0] for c in cases if c.images and "problem" not in c.details), None)
        if image is None or outline(image).volumes != count:
            return []
    except SourceError:
        return []
    return [replace(case, details={**case.details, "volumes": count}) for case in cases]
