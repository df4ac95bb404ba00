"""The planes of a series as they travel to a worker: by file and number, not by header."""

from __future__ import annotations

from pathlib import Path

from nnplug.errors import SourceError
from nnplug_dicom.cases.index import Series, read_file
from nnplug_dicom.headers.header import Header

Files = tuple[tuple[str, tuple[int, ...]], ...]


def files_of(series: Series) -> Files:
    """Return each file of a series with the numbers of its planes; none if it is one plane."""
    planes: dict[str, list[int]] = {}
    for header in series.headers:
        numbers = planes.setdefault(str(header.path), [])
        if header.frame is not None:
            numbers.append(header.frame)
    return tuple((path, tuple(numbers)) for path, numbers in planes.items())


def read_planes(files: Files) -> list[Header]:
    """Read the headers again.

    Raises:
        SourceError: a file is no longer what it was.
    """
    headers: list[Header] = []
    for name, numbers in files:
        entry = read_file(Path(name))
        if entry.problem:
            raise SourceError(entry.problem)
        planes = {header.frame: header for header in entry.images}
        if not planes.keys() >= set(numbers or [None]):
            raise SourceError(
                "is no longer the image that was found",
                where=entry.path.name,
                hint="convert again; does something change the source meanwhile?",
            )
        headers += [planes[number] for number in numbers or [None]]
    return headers
