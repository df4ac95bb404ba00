"""What this plugin offers; light to import."""

from __future__ import annotations

from pathlib import Path

from nnplug.hookspecs import hookimpl
from nnplug.layout import holds_images
from nnplug.types import ConverterSpec
from nnplug_mha.options import MhaOptions


@hookimpl
def nnplug_converters() -> list[ConverterSpec]:
    """The converter ``mha``."""
    return [
        ConverterSpec(
            name="mha",
            target="nnplug_mha.converter:MhaConverter",
            options=MhaOptions,
            survey="nnplug_mha.survey:survey",
            identifiers="nnplug_mha.identifiers:identifiers",
            summary="MetaImage and NRRD files (.mha, .mhd, .nrrd, .nhdr), segments of .seg.nrrd",
        )
    ]


@hookimpl
def nnplug_detect(source: Path) -> list[str]:
    """Claim a source whose images are MetaImage or NRRD files."""
    return ["mha"] if holds_images(source, (".mha", ".mhd", ".nrrd", ".nhdr")) else []
