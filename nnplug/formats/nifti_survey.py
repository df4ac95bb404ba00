"""What a source of NIfTI files holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nnplug import survey as files
from nnplug.formats import decathlon
from nnplug.formats.itk import outline
from nnplug.formats.masks import named_labels, outline_of
from nnplug.formats.nifti import SUFFIXES
from nnplug.types import Source, Survey


def survey(root: Path) -> Survey:
    """List images and labels by their headers; ``dataset.json`` names channels and labels.

    Raises:
        SourceError: a ``dataset.json`` can't be used.
    """
    task = decathlon.read(root)
    if task is not None:
        source = Source(root, task.channels or {0: "image"})
        found = files.describe(root, decathlon.cases(task, source), outline_of, source)
        return Survey(found, source.channels, task.labels, unlabelled=not task.training)
    seen = files.survey(root, outline_of, suffixes=SUFFIXES, mask_folders=True)
    channels, labels = decathlon.names(root)
    if channels.keys() != seen.channels.keys():
        channels = dict(seen.channels)
    first = next((f.path for f in seen.found if f.kind == "image" and f.use), None)
    volumes = outline(root / first).volumes if first else 1
    if volumes > 1 and len(channels) == 1:
        channels = {number: f"channel_{number}" for number in range(volumes)}
    return replace(seen, channels=channels, labels=labels or named_labels(root, seen.found))
