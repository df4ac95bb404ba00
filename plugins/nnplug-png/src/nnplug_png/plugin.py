"""What this plugin offers; light to import."""

from __future__ import annotations

from pathlib import Path

from nnplug.hookspecs import hookimpl
from nnplug.layout import holds_images
from nnplug.types import ConverterSpec
from nnplug_png.options import PngOptions


@hookimpl
def nnplug_converters() -> list[ConverterSpec]:
    """The converter ``png``."""
    return [
        ConverterSpec(
            name="png",
            target="nnplug_png.converter:PngConverter",
            options=PngOptions,
            survey="nnplug_png.survey:survey",
            identifiers="nnplug_png.identifiers:identifiers",
            summary="PNG, TIFF, JPEG and BMP: stacks of slices, TIFF volumes, single 2D images",
        )
    ]


@hookimpl
def nnplug_detect(source: Path) -> list[str]:
    """Claim a source whose images are PNG, TIFF or JPEG files."""
    suffixes = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
    return ["png"] if holds_images(source, suffixes) else []
