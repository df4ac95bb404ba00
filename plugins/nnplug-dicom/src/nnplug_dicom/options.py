"""The keys below ``converter.`` for ``converter=dicom``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

from nnplug.rois import RoiOptions


@dataclass(frozen=True)
class ChannelRule:
    """Which series of a case a channel is; every key that is set must fit.

    Attributes:
        modality: the series' Modality (0008,0060), e.g. ``MR``; letter case does not matter.
        description: a pattern such as ``*t1*post*`` for its SeriesDescription (0008,103E).
        number: its SeriesNumber (0020,0011).
        folder: a pattern for its folder relative to the case's, e.g. ``CT/image`` or ``*/CT``.
        part: a pattern for what tells several volumes of one series apart, as the list of
            series shows it, e.g. ``b=1000``, ``echo 2``, ``time 3`` or ``acquisition 1``.
    """

    modality: str | None = None
    description: str | None = None
    number: int | None = None
    folder: str | None = None
    part: str | None = None

    def __post_init__(self) -> None:
        if all(getattr(self, f.name) is None for f in fields(self)):
            keys = ", ".join(f.name for f in fields(self))
            raise ValueError(f"a rule needs at least one of {keys}")


@dataclass(frozen=True)
class DicomLabels(RoiOptions):
    """Where a case's label comes from; ``rois``, ``priority`` and ``optional`` as everywhere.

    Attributes:
        format: ``volume`` (a NIfTI, MetaImage or NRRD file), ``seg`` or ``rtstruct`` (DICOM);
            ``auto`` takes what there is, and refuses a case with more than one kind.
        threshold: from which part of the maximum on a voxel of a fractional SEG belongs to its
            segment; above 0, at most 1.
    """

    format: Literal["auto", "volume", "seg", "rtstruct"] = "auto"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold is {self.threshold}, not above 0 and at most 1")


@dataclass(frozen=True)
class DicomOptions:
    """Options of the DICOM converter.

    Attributes:
        channels: rules by channel name or number, where the headers don't tell by themselves
            which series a channel is; e.g. ``{MR_T1: {description: "*t1*"}}``.
        min_slices: refuse series with fewer images; at least 2. Two images can't show whether
            one between them is missing; 3 refuses such series.
        cases: what one case is: a ``folder`` of the source, a ``patient`` (PatientID) or a
            ``study`` (StudyInstanceUID) wherever the files lie; ``auto`` takes folders, and
            refuses those that hold several patients.
        geometry: what happens to missing or uneven slices and gantry tilt: ``error`` refuses
            them, ``resample`` brings image and label onto a regular right-angled grid.
        labels: where the label comes from, and which regions are which label.
    """

    channels: Mapping[str, ChannelRule] = field(default_factory=dict)
    min_slices: int = 2
    cases: Literal["auto", "folder", "patient", "study"] = "auto"
    geometry: Literal["error", "resample"] = "error"
    labels: DicomLabels = field(default_factory=DicomLabels)

    def __post_init__(self) -> None:
        if self.min_slices < 2:
            raise ValueError(
                f"min_slices is {self.min_slices}, but a volume needs at least 2 images: "
                "the distance between slices comes from their positions"
            )
