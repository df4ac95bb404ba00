"""From files to series: which images were taken together on one grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from nnplug_dicom.header import Header, read_header
from nnplug_dicom.probe import files_below

ORIENTATION_TOLERANCE = 1e-4
SPACING_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Series:
    """Images that belong together by UID, orientation, size and pixel spacing.

    Attributes:
        headers: one an image, in the order of the files.
        folder: their common folder relative to the case's folder, ``.`` for that itself.
    """

    headers: tuple[Header, ...]
    folder: str

    @property
    def first(self) -> Header:
        """Any of the images, for what they have in common."""
        return self.headers[0]

    @property
    def stackable(self) -> bool:
        """There is more than one image, and they are not meant for planning."""
        return len(self.headers) > 1 and "LOCALIZER" not in self.first.image_type

    def __str__(self) -> str:
        h = self.first
        number = "no number" if h.number is None else f"number {h.number}"
        named = f" '{h.description}'" if h.description else ""
        count = f"{len(self.headers)} image{'s' if len(self.headers) > 1 else ''}"
        frames = f" with {h.frames} frames" if h.frames > 1 else ""
        return (
            f"{h.modality or 'no modality'}{named} in {self.folder} "
            f"({number}, {count}{frames} of {h.columns}x{h.rows})"
        )


def read_folder(folder: Path) -> list[Series]:
    """Read the headers of every file below ``folder`` and group them to series.

    Raises:
        nnplug.errors.SourceError: a file that should be an image is damaged.
    """
    found = (read_header(path) for path in files_below(folder))
    return group([h for h in found if h is not None], folder)


def group(headers: Iterable[Header], root: Path) -> list[Series]:
    """Group headers to series, in the order of their first files.

    The SeriesInstanceUID alone doesn't do: localizers and reformatted planes turn up under the
    UID of a volume. Where it was removed, images are grouped by folder, patient, modality,
    number and description instead. Cosines and, relatively, pixel spacings that differ by no
    more than 1e-4 count as equal.
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
        Series(tuple(g), _common_folder([h.path for h in g], root))
        for alike in groups.values()
        for g in alike
    ]


def _key(header: Header) -> tuple[object, ...]:
    form = (header.rows, header.columns, header.frames, header.samples)
    if header.series:
        return (header.series, *form)
    stripped = (header.patient, header.modality, header.number, header.description)
    return (header.path.parent, *stripped, *form)


def _same_grid(one: Header, other: Header) -> bool:
    return _near(one.orientation, other.orientation, ORIENTATION_TOLERANCE) and _near(
        one.spacing, other.spacing, SPACING_TOLERANCE * max(one.spacing or (0.0,))
    )


def _near(one: Sequence[float] | None, other: Sequence[float] | None, within: float) -> bool:
    if one is None or other is None:
        return one is other
    return all(abs(a - b) <= within for a, b in zip(one, other, strict=True))


def _common_folder(paths: list[Path], root: Path) -> str:
    parents = [p.parent.relative_to(root).parts for p in paths]
    shared: list[str] = []
    for parts in zip(*parents, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return PurePath(*shared).as_posix()
