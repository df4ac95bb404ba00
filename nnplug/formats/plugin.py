"""The hooks of the formats that come with nnplug; light to import."""

from __future__ import annotations

from pathlib import Path

from nnplug.hookspecs import hookimpl
from nnplug.layout import holds_images
from nnplug.types import ConverterSpec


@hookimpl
def nnplug_converters() -> list[ConverterSpec]:
    """Offer NIfTI."""
    return [
        ConverterSpec(
            name="nifti",
            target="nnplug.formats.nifti:NiftiConverter",
            summary="NIfTI files (.nii, .nii.gz)",
        )
    ]


@hookimpl
def nnplug_detect(source: Path) -> list[str]:
    """Claim a source whose images are NIfTI files."""
    return ["nifti"] if holds_images(source, (".nii", ".nii.gz")) else []
