"""Giving a label or a further channel the header of its image; no voxel is changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from nnplug.data import nifti
from nnplug.whole import storage_errors

NOTES = "nnplug_repairs.jsonl"


def header(image: sitk.Image, grid: sitk.Image, task: Path, file: str) -> None:
    """Write ``image`` with the spacing, origin and direction of ``grid`` in place of ``file``.

    What the header was is noted in ``nnplug_repairs.jsonl`` of the task folder before. The file
    appears whole or stays as it was.

    Args:
        image: the voxels that ``file`` holds.
        grid: the image that it belongs to, of the same size.
        task: the task folder.
        file: the path of the label or channel, relative to the task folder.

    Raises:
        StorageError: nothing can be written there.
    """
    note = {"file": file, "before": _geometry(image), "after": _geometry(grid)}
    with storage_errors(task / NOTES), (task / NOTES).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(note) + "\n")
    repaired = sitk.Image(image)
    repaired.CopyInformation(grid)
    nifti.write(repaired, task / file)


def _geometry(image: sitk.Image) -> dict[str, Any]:
    return {
        "spacing": image.GetSpacing(),
        "origin": image.GetOrigin(),
        "direction": image.GetDirection(),
    }
