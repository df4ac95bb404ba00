"""The keys below ``converter.`` for ``converter=nifti``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nnplug.rois import RoiOptions


@dataclass(frozen=True)
class NiftiOptions:
    """Options of the NIfTI converter.

    Attributes:
        form: which of a file's two grids counts where qform and sform differ: ``auto`` refuses
            such files, ``sform`` and ``qform`` take that one.
        labels: which masks of a folder are which label, by their names.
    """

    form: Literal["auto", "sform", "qform"] = "auto"
    labels: RoiOptions = field(default_factory=RoiOptions)

    def __post_init__(self) -> None:
        if self.form not in ("auto", "sform", "qform"):
            raise ValueError(f"form={self.form!r} is none of auto, sform, qform")
