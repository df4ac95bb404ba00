"""The keys below ``converter.`` for ``converter=dicom``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields


@dataclass(frozen=True)
class ChannelRule:
    """Which series of a case a channel is; every key that is set must fit.

    Attributes:
        modality: the series' Modality (0008,0060), e.g. ``MR``; letter case does not matter.
        description: a pattern such as ``*t1*post*`` for its SeriesDescription (0008,103E).
        number: its SeriesNumber (0020,0011).
        folder: a pattern for its folder relative to the case's, e.g. ``CT/image`` or ``*/CT``.
    """

    modality: str | None = None
    description: str | None = None
    number: int | None = None
    folder: str | None = None

    def __post_init__(self) -> None:
        if all(getattr(self, f.name) is None for f in fields(self)):
            keys = ", ".join(f.name for f in fields(self))
            raise ValueError(f"a rule needs at least one of {keys}")


@dataclass(frozen=True)
class DicomOptions:
    """Options of the DICOM converter.

    Attributes:
        channels: rules by channel name or number, where the headers don't tell by themselves
            which series a channel is; e.g. ``{MR_T1: {description: "*t1*"}}``.
        min_slices: refuse series with fewer images; at least 2. Two images can't show whether
            one between them is missing; 3 refuses such series.
    """

    channels: Mapping[str, ChannelRule] = field(default_factory=dict)
    min_slices: int = 2

    def __post_init__(self) -> None:
        if self.min_slices < 2:
            raise ValueError(
                f"min_slices is {self.min_slices}, but a volume needs at least 2 images: "
                "the distance between slices comes from their positions"
            )
