"""Whether a case looks like those that the model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

FACTOR = 1.5


def unlike_training(images: Sequence[Path] | Sequence[sitk.Image], plans: Mapping[str, Any]) -> str:
    """What is far outside of what the model has seen, in words; "" if nothing is.

    Far is an axis whose spacing is :data:`FACTOR` times below the smallest or above the largest
    of the training cases.

    Args:
        images: the channels of a case, or their files, of which only the first's header is
            read.
        plans: of nnU-Net; their spacings are z, y, x.
    """
    known = plans.get("dataset_properties", {}).get("all_spacings", ())
    spacing = _spacing(images[0]) if images and len(known) else None
    if spacing is None:
        return ""
    lowest, highest = (limit(np.array(known), axis=0)[::-1] for limit in (np.min, np.max))
    apart = [
        f"{axis} {now:.4g} mm (training: {low:.4g} to {high:.4g})"
        for axis, now, low, high in zip("xyz", spacing, lowest, highest, strict=True)
        if now * FACTOR < low or now > high * FACTOR
    ]
    return f"its spacing is unlike that of the training cases: {', '.join(apart)}" if apart else ""


def _spacing(image: Path | sitk.Image) -> tuple[float, ...] | None:
    """mm along x, y, z; None of a file that is no image, which prediction then says."""
    if isinstance(image, sitk.Image):
        return tuple(image.GetSpacing())
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(image))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    return tuple(reader.GetSpacing()) if reader.GetDimension() == 3 else None
