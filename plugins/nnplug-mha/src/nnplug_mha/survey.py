"""What a source of MetaImage and NRRD files holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nnplug import survey as files
from nnplug.errors import SourceError
from nnplug.formats.masks import named_labels, outline_of
from nnplug.types import Survey
from nnplug_mha.converter import LABEL_SUFFIXES, SUFFIXES
from nnplug_mha.segments import segments


def survey(root: Path) -> Survey:
    """List images and labels by their headers; labels are named by the segments in them."""
    seen = files.survey(
        root, outline_of, suffixes=SUFFIXES, label_suffixes=LABEL_SUFFIXES, mask_folders=True
    )
    names: dict[str, None] = {}
    for found in seen.found:
        if found.kind == "label" and found.use:
            names.update(dict.fromkeys(_segment_names(root / found.path)))
    labels = {"background": 0, **{name: n for n, name in enumerate(names, 1)}} if names else {}
    return replace(seen, labels=labels or named_labels(root, seen.found))


def _segment_names(path: Path) -> list[str]:
    try:
        return [segment.name for segment in segments(path)]
    except (SourceError, OSError):
        return []
