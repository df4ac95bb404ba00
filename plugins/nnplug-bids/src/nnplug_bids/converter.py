"""The converter for BIDS datasets and derivatives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nnplug.errors import SourceError
from nnplug.formats.itk import read_case
from nnplug.types import Case, CaseSource, Source
from nnplug_bids import cases
from nnplug_bids.options import BidsOptions
from nnplug_bids.tables import by_names, read_table


class BidsConverter:
    """Reads anatomical images of a BIDS dataset and labels of its derivatives."""

    def __init__(self, options: BidsOptions | None = None) -> None:
        self.options = options or BidsOptions()

    def discover(self, source: Source) -> list[CaseSource]:
        """List sessions (or runs); see :func:`nnplug_bids.cases.discover`."""
        return cases.discover(source, self.options)

    def read(self, case: CaseSource) -> Case:
        """Read one case; a label with a ``dseg.tsv`` gets its values by the names in it.

        Raises:
            SourceError: a file can't be read, or its table doesn't fit.
        """
        read = read_case(case)
        if read.label is None or "table" not in case.details:
            return read
        table = read_table(Path(case.details["table"]))
        try:
            label = by_names(read.label, table, case.details["labels"], self.options.labels)
        except SourceError as error:
            where = error.where or str(case.label)
            raise SourceError(error.problem, where=where, hint=error.hint) from error
        return replace(read, label=label)
