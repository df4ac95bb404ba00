"""The keys below ``converter.`` for ``converter=mha``."""

from __future__ import annotations

from dataclasses import dataclass, field

from nnplug.rois import RoiOptions


@dataclass(frozen=True)
class MhaOptions:
    """Options of the MetaImage and NRRD converter.

    Attributes:
        labels: which segments of a ``.seg.nrrd`` are which label, by their names.
    """

    labels: RoiOptions = field(default_factory=RoiOptions)
