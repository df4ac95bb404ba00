"""The NIfTI converter that comes with nnplug."""

from __future__ import annotations

from nnplug.formats.itk import read_case
from nnplug.layout import find_cases
from nnplug.types import Case, CaseSource, Source

SUFFIXES = (".nii", ".nii.gz")


class NiftiConverter:
    """Reads ``.nii`` and ``.nii.gz`` files, images and labels; there are no options."""

    def __init__(self, options: object = None) -> None:
        self.options = options

    def discover(self, source: Source) -> list[CaseSource]:
        """List the cases; see :func:`nnplug.layout.find_cases`."""
        return find_cases(source, suffixes=SUFFIXES)

    def read(self, case: CaseSource) -> Case:
        """Read one case; see :func:`nnplug.formats.itk.read_image`."""
        return read_case(case)
