"""What this plugin offers; loads neither pydicom nor SimpleITK."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nnplug.hookspecs import hookimpl
from nnplug.types import ConverterSpec
from nnplug_dicom.options import DicomOptions
from nnplug_dicom.probe import holds_dicom


@hookimpl
def nnplug_converters() -> Iterable[ConverterSpec]:
    """The converter ``dicom``."""
    return [
        ConverterSpec(
            name="dicom",
            target="nnplug_dicom.converter:DicomConverter",
            options=DicomOptions,
            summary="DICOM series, one folder a case; labels as NIfTI, MetaImage or NRRD volumes",
        )
    ]


@hookimpl
def nnplug_detect(source: Path) -> Iterable[str]:
    """Claim sources with a DICOM file among the first files."""
    return ["dicom"] if holds_dicom(source) else []
