"""From a tree of files to series: which images were taken together on one grid."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nnplug.errors import SourceError
from nnplug.types import Apply
from nnplug_dicom.cases.split import split
from nnplug_dicom.headers.cache import Entry, cached
from nnplug_dicom.headers.frames import expand
from nnplug_dicom.headers.header import Header, Other, read_object
from nnplug_dicom.headers.probe import files_below

ORIENTATION_TOLERANCE = 1e-4
SPACING_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Series:
    """Images that belong together as one volume.

    Attributes:
        headers: one a plane, in the order of the files.
        folder: their common folder relative to the case's folder, ``.`` for that itself.
        part: what tells the volume from others of the same series, e.g. ``b=1000``, or "".
    """

    headers: tuple[Header, ...]
    folder: str
    part: str = ""

    @property
    def first(self) -> Header:
        """Any of the images, for what they have in common."""
        return self.headers[0]

    @property
    def stackable(self) -> bool:
        """There is more than one image, each has its place, and they are not for planning."""
        placed = self.first.position is not None and self.first.orientation is not None
        return len(self.headers) > 1 and placed and not is_localizer(self.first)

    def __str__(self) -> str:
        h = self.first
        number = "no number" if h.number is None else f"number {h.number}"
        named = f" '{h.description}'" if h.description else ""
        count = f"{len(self.headers)} image{'s' if len(self.headers) > 1 else ''}"
        frames = f" with {h.frames} frames" if h.frames > 1 and h.frame is None else ""
        part = f", {self.part}" if self.part else ""
        return (
            f"{h.modality or 'no modality'}{named} in {self.folder} "
            f"({number}, {count}{frames} of {h.columns}x{h.rows}{part})"
        )


@dataclass(frozen=True)
class Index:
    """What the files below a folder hold.

    Attributes:
        root: the folder.
        entries: one a file, by path.
    """

    root: Path
    entries: tuple[Entry, ...]

    @cached_property
    def _names(self) -> list[str]:
        return [e.file for e in self.entries]

    def below(self, folder: Path) -> tuple[Entry, ...]:
        """Return the entries of the files below ``folder``, which is in the root."""
        inside = str(folder).rstrip(os.sep) + os.sep
        beyond = inside[:-1] + chr(ord(os.sep) + 1)
        start, end = (bisect_left(self._names, edge) for edge in (inside, beyond))
        return self.entries[start:end]


def read_tree(root: Path, apply: Apply = map) -> Index:
    """Read the headers of all files below ``root``; those that are unchanged from the cache.

    Damage is kept in the entries of the files. ``apply`` is that of the source.
    """
    return Index(root, tuple(cached(root, sorted(files_below(root)), read_files, apply)))


def read_files(paths: Sequence[str]) -> list[Entry]:
    """Read the headers of several files."""
    return [read_file(path) for path in paths]


def read_file(path: str) -> Entry:
    """Read the header of one file and tell what it holds."""
    try:
        found = read_object(path)
        if isinstance(found, Header):
            return Entry(path, images=tuple(expand(found)))
    except SourceError as error:
        return Entry(path, problem=str(error))
    return Entry(path, other=found)


def images(entries: Iterable[Entry]) -> list[Header]:
    """Return the headers of all images among the entries."""
    return [header for entry in entries for header in entry.images]


def others(entries: Iterable[Entry]) -> list[Other]:
    """Return the DICOM objects among the entries that are no images."""
    return [entry.other for entry in entries if entry.other]


def is_localizer(header: Header) -> bool:
    """Tell whether an image was taken to plan others (PS3.3, C.7.6.1.1.2, value 3)."""
    return "LOCALIZER" in header.image_type


def is_derived(header: Header) -> bool:
    """Tell whether an image was computed from others (PS3.3, C.7.6.1.1.2, value 1)."""
    return header.image_type[:1] == ("DERIVED",)


def group(headers: Iterable[Header], root: Path) -> list[Series]:
    """Group headers to series, in the order of their first files.

    The SeriesInstanceUID alone doesn't do: localizers, reformatted planes, echoes, phases and
    b-values turn up under one UID. Images belong together if UID, patient, number, modality,
    size, orientation and pixel spacing agree, and all or none are localizers, or derived; what
    is left is split as :func:`nnplug_dicom.cases.split.split` says. Where the UID was removed, the
    folder and the description stand in for it. Cosines and, relatively, pixel spacings that
    differ by no more than 1e-4 count as equal.
    """
    groups: dict[tuple[object, ...], list[list[Header]]] = {}
    for header in headers:
        alike = groups.setdefault(_key(header), [])
        fitting = next((g for g in alike if _same_grid(g[0], header)), None)
        if fitting is None:
            alike.append([header])
        else:
            fitting.append(header)
    return [
        Series(tuple(volume), _common_folder([h.file for h in volume], root), part)
        for alike in groups.values()
        for g in alike
        for volume, part in split(g)
    ]


def _key(header: Header) -> tuple[object, ...]:
    uid = (header.series,) if header.series else (os.path.dirname(header.file), header.description)
    return (
        *uid,
        *(header.patient, header.number, header.modality),
        *(header.rows, header.columns, header.samples),
        *(header.frames if header.frame is None else None, is_localizer(header)),
        is_derived(header),
    )


def _same_grid(one: Header, other: Header) -> bool:
    return _near(one.orientation, other.orientation, ORIENTATION_TOLERANCE) and _near(
        one.spacing, other.spacing, SPACING_TOLERANCE * max(one.spacing or (0.0,))
    )


def _near(one: Sequence[float] | None, other: Sequence[float] | None, within: float) -> bool:
    if one is None or other is None:
        return one is other
    return all(abs(a - b) <= within for a, b in zip(one, other, strict=True))


def _common_folder(files: list[str], root: Path) -> str:
    folders = {os.path.dirname(file) for file in files}
    return Path(os.path.commonpath(folders)).relative_to(root).as_posix()
