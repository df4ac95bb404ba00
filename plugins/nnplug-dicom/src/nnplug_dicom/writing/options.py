"""The options of ``format=dicom_seg``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TISSUE = ("85756007", "SCT", "Tissue")


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
        if self.series_number < 1:
            raise ValueError(f"series_number must be at least 1, not {self.series_number}")
