"""The converter for MetaImage and NRRD files."""

from __future__ import annotations

from dataclasses import replace

from nnplug.errors import SourceError
from nnplug.formats.itk import data_file, read_case
from nnplug.layout import find_cases
from nnplug.types import Case, CaseSource, Source

SUFFIXES = (".mha", ".mhd", ".nrrd", ".nhdr")
LABEL_SUFFIXES = (".seg.nrrd",)


class MhaConverter:
    """Reads ``.mha``, ``.mhd``, ``.nrrd`` and ``.nhdr`` files; there are no options."""

    def __init__(self, options: object = None) -> None:
        self.options = options

    def discover(self, source: Source) -> list[CaseSource]:
        """List the cases; see :func:`nnplug.layout.find_cases`.

        The data files that headers name (``.raw``, ``.zraw``) stand in ``details["files"]``.
        """
        cases = find_cases(source, suffixes=SUFFIXES, label_suffixes=LABEL_SUFFIXES)
        return [_with_files(case) for case in cases]

    def read(self, case: CaseSource) -> Case:
        """Read one case; see :func:`nnplug.formats.itk.read_image`.

        Raises:
            SourceError: a file is damaged, or its header names a data file that is missing,
                short, or not in the header's folder or below it.
        """
        return read_case(case)


def _with_files(case: CaseSource) -> CaseSource:
    files = []
    for path in (*case.images, *([case.label] if case.label else [])):
        try:
            data = data_file(path)
        except (SourceError, OSError):
            continue  # said with the same words when the case is read
        if data != path:
            files.append(data)
    return replace(case, details={**case.details, "files": tuple(files)}) if files else case
