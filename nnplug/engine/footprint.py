"""How much memory nnU-Net's preprocessing takes for a case, and how many cases fit at once.

The bytes are peaks of nnU-Net 1.7.1's own functions, measured on volumes of 1 to 3 channels and
1 to 8 million voxels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnplug.config import resources
from nnplug.engine.safe import read_pickle

RESERVE = 0.9
GIB = 1 << 30
BUFFERS = 48 << 20  # of numpy, to compress an array


def to_crop(voxels: int, channels: int) -> int:
    """Bytes to read a case, find its box and store it."""
    return BUFFERS + voxels * (36 + 9 * channels)


def to_resample(before: int, after: int, channels: int, *, separate: bool) -> int:
    """Bytes to bring a case from ``before`` to ``after`` voxels; ``separate``: one axis alone."""
    after *= 20 + 6 * channels + 38 * separate
    return BUFFERS + before * (4 + 24 * channels) + after


def cropping(task_folder: Path) -> dict[str, int]:
    """Bytes for each training case of a raw task, by the header of its first channel."""
    import SimpleITK as sitk

    content = json.loads((task_folder / "dataset.json").read_text(encoding="utf-8"))
    needs = {}
    for entry in content["training"]:
        case = Path(entry["image"]).name.removesuffix(".nii.gz")
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(task_folder / "imagesTr" / f"{case}_0000.nii.gz"))
        reader.ReadImageInformation()
        needs[case] = to_crop(math.prod(reader.GetSize()), len(content["modality"]))
    return needs


def resampling(cropped: Path, plans: Mapping[str, Any], stage: int) -> dict[str, int]:
    """Bytes for each cropped case in one stage of the plans."""
    from nnunet.preprocessing.preprocessing import get_do_separate_z

    order = list(plans["transpose_forward"])
    target = np.array(plans["plans_per_stage"][stage]["current_spacing"])
    needs = {}
    for path in sorted(cropped.glob("*.npz")):
        found = read_pickle(path.with_suffix(".pkl"))
        spacing = np.array(found["original_spacing"])[order]
        before = np.array(found["size_after_cropping"])[order]
        after = np.round(spacing / target * before)
        separate = bool(get_do_separate_z(spacing) or get_do_separate_z(target))
        channels = int(plans["num_modalities"])
        sizes = int(before.prod()), int(after.prod())
        needs[path.stem] = to_resample(*sizes, channels, separate=separate)
    return needs


def at_once(needs: Mapping[str, int], wanted: int, what: str, note: Callable[[str], None]) -> int:
    """At most ``wanted`` cases, as many as free memory suffices for; at least 1.

    Args:
        needs: case to bytes.
        wanted: the number that is asked for.
        what: completes "to be ...", for notes.
        note: called with what should be said: cases that are too large, fewer workers.
    """
    free = int(RESERVE * resources.memory())
    largest = sorted(needs.values(), reverse=True)
    for case, need in needs.items():
        if need > free:
            note(
                f"case {case} needs about {need / GIB:.1f} GiB of memory to be {what}, "
                f"{free / GIB:.1f} GiB are free: it may be killed"
            )
    counts = range(1, min(wanted, len(needs)) + 1)
    count = max((n for n in counts if sum(largest[:n]) <= free), default=1)
    if count < min(wanted, len(needs)):
        note(f"memory suffices for {count} of the largest cases to be {what} at once, not {wanted}")
        return count
    return wanted
