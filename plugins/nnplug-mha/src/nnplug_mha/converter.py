"""The converter for MetaImage and NRRD files."""

from __future__ import annotations

from dataclasses import replace

from nnplug.formats.itk import read_case, with_data_files
from nnplug.formats.masks import read_with_masks
from nnplug.layout import find_cases
from nnplug.types import Case, CaseSource, Source
from nnplug_mha.options import MhaOptions

SUFFIXES = (".mha", ".mhd", ".nrrd", ".nhdr")
LABEL_SUFFIXES = (".seg.nrrd", ".seg.nhdr")


class MhaConverter:
    """Reads ``.mha``, ``.mhd``, ``.nrrd`` and ``.nhdr`` files, and named segments as labels."""

    def __init__(self, options: MhaOptions | None = None) -> None:
        self.options = options or MhaOptions()

    def discover(self, source: Source) -> list[CaseSource]:
        """List the cases; see :func:`nnplug.layout.find_cases`.

        The data files that headers name (``.raw``, ``.zraw``) stand in ``details["files"]``.
        """
        cases = find_cases(
            source, suffixes=SUFFIXES, label_suffixes=LABEL_SUFFIXES, mask_folders=True
        )
        return [
            replace(found, details={**found.details, "labels": dict(source.labels)})
            for found in map(with_data_files, cases)
        ]

    def read(self, case: CaseSource) -> Case:
        """Read one case; a label with segment names, or one mask a file, gets its values by them.

        Raises:
            SourceError: a file is damaged, its header names a data file that is missing, short,
                or not in the header's folder or below it, or segments don't fit the labels.
        """
        from nnplug_mha.segments import read_label, segments

        label = case.label
        found = segments(label) if label is not None and label.is_file() else []
        if label is None or not found:
            return read_with_masks(case, self.options.labels)
        read = read_case(replace(case, label=None))
        image, notes = read_label(label, found, case.details["labels"], self.options.labels)
        return replace(read, label=image, provenance={**read.provenance, **notes})
