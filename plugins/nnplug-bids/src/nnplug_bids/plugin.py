"""What this plugin offers; light to import."""

from __future__ import annotations

from pathlib import Path

from nnplug.hookspecs import hookimpl
from nnplug.types import ConverterSpec
from nnplug_bids.options import BidsOptions


@hookimpl
def nnplug_converters() -> list[ConverterSpec]:
    """The converter ``bids``."""
    return [
        ConverterSpec(
            name="bids",
            target="nnplug_bids.converter:BidsConverter",
            options=BidsOptions,
            survey="nnplug_bids.survey:survey",
            identifiers="nnplug_bids.identifiers:identifiers",
            summary="BIDS: anatomical images, labels from derivatives (_dseg, _mask)",
            refines="nifti",
        )
    ]


@hookimpl
def nnplug_detect(source: Path) -> list[str]:
    """Claim folders with a ``dataset_description.json`` and a subject."""
    if not (source / "dataset_description.json").is_file():
        return []
    return ["bids"] if any(path.is_dir() for path in source.glob("sub-*")) else []
