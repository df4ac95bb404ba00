"""The hooks of the formats that come with nnplug; light to import."""

from __future__ import annotations

from pathlib import Path

from nnplug.formats.options import NiftiOptions
from nnplug.hookspecs import hookimpl
from nnplug.layout import holds_images
from nnplug.types import ConverterSpec, WriterSpec


@hookimpl
def nnplug_converters() -> list[ConverterSpec]:
    """Offer NIfTI."""
    return [
        ConverterSpec(
            name="nifti",
            target="nnplug.formats.nifti:NiftiConverter",
            options=NiftiOptions,
            survey="nnplug.formats.nifti_survey:survey",
            identifiers="nnplug.formats.identifiers:identifiers",
            summary="NIfTI files (.nii, .nii.gz, .hdr with .img) and Decathlon tasks",
        )
    ]


@hookimpl
def nnplug_writers() -> list[WriterSpec]:
    """Offer the image formats that ITK writes."""
    return [
        WriterSpec(name, "nnplug.formats.writing:ImageWriter", f".{name}", summary=summary)
        for name, summary in (
            ("nii.gz", "NIfTI, compressed"),
            ("nii", "NIfTI"),
            ("mha", "MetaImage, compressed"),
            ("nrrd", "NRRD, compressed"),
        )
    ]


@hookimpl
def nnplug_detect(source: Path) -> list[str]:
    """Claim a source whose images are NIfTI files."""
    return ["nifti"] if holds_images(source, (".nii", ".nii.gz", ".hdr")) else []
