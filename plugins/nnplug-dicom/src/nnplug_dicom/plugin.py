"""What this plugin offers; loads neither pydicom nor SimpleITK."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nnplug.hookspecs import hookimpl
from nnplug.types import ConverterSpec, WriterSpec
from nnplug_dicom.headers.probe import holds_dicom
from nnplug_dicom.options import DicomOptions
from nnplug_dicom.writing.options import RtstructOptions, SegOptions


@hookimpl
def nnplug_converters() -> Iterable[ConverterSpec]:
    """The converter ``dicom``."""
    return [
        ConverterSpec(
            name="dicom",
            target="nnplug_dicom.converter:DicomConverter",
            options=DicomOptions,
            summary="DICOM series; labels as SEG, RTSTRUCT, or NIfTI, MetaImage or NRRD volumes",
            survey="nnplug_dicom.survey:survey",
            identifiers="nnplug_dicom.identifiers:identifiers",
        )
    ]


@hookimpl
def nnplug_writers() -> Iterable[WriterSpec]:
    """The formats ``dicom_seg`` and ``rtstruct``."""
    return [
        WriterSpec(
            name="dicom_seg",
            target="nnplug_dicom.writing.seg:SegWriter",
            suffix=".seg.dcm",
            options=SegOptions,
            summary="DICOM Segmentation that refers to the source series",
        ),
        WriterSpec(
            name="rtstruct",
            target="nnplug_dicom.writing.rtstruct:RtstructWriter",
            suffix=".rtstruct.dcm",
            options=RtstructOptions,
            summary="DICOM RT Structure Set that refers to the source series",
        ),
    ]


@hookimpl
def nnplug_detect(source: Path) -> Iterable[str]:
    """Claim sources with a DICOM file among the first files."""
    return ["dicom"] if holds_dicom(source) else []
