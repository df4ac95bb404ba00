"""The options of ``format=dicom_seg`` and ``format=rtstruct``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TISSUE = ("85756007", "SCT", "Tissue")
Colour = tuple[int, int, int]
# Paul Tol's "bright" scheme, distinct also to the colour-blind.
COLOURS: tuple[Colour, ...] = (
    *((238, 102, 119), (34, 136, 51), (68, 119, 170), (204, 187, 68)),
    *((102, 204, 238), (170, 51, 119), (187, 187, 187)),
)


@dataclass(frozen=True)
class Terms:
    """What a segment is, as coded terms: value, scheme and meaning.

    Attributes:
        category: of CID 7150, e.g. ``[123037004, SCT, Body structure]``.
        type: of the context group that belongs to it, e.g. ``[10200004, SCT, Liver]``.
    """

    category: tuple[str, str, str] = TISSUE
    type: tuple[str, str, str] = TISSUE


@dataclass(frozen=True)
class SegOptions:
    """Options of the SEG writer.

    Attributes:
        terms: label name to its terms; labels that are not listed are called tissue.
        series_number: SeriesNumber (0020,0011) of what is written, at least 1.
    """

    terms: Mapping[str, Terms] = field(default_factory=dict)
    series_number: int = 300

    def __post_init__(self) -> None:
        _check_number(self.series_number)


@dataclass(frozen=True)
class RtstructOptions:
    """Options of the RTSTRUCT writer.

    Attributes:
        colours: label name to red, green and blue, 0 to 255; others get colours of their own.
        series_number: SeriesNumber (0020,0011) of what is written, at least 1.
    """

    colours: Mapping[str, Colour] = field(default_factory=dict)
    series_number: int = 301

    def __post_init__(self) -> None:
        _check_number(self.series_number)
        for name, colour in self.colours.items():
            if not all(0 <= part <= 255 for part in colour):
                raise ValueError(f"the colour of {name} is not made of numbers from 0 to 255")


def _check_number(series: int) -> None:
    if series < 1:
        raise ValueError(f"series_number must be at least 1, not {series}")
