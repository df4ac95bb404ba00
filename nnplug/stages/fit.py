"""Whether a case looks like those that the model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from nnplug.data import orientation
from nnplug.data.orientation import Axes

FACTOR = 1.5


def unlike_training(
    images: Sequence[Path] | Sequence[sitk.Image],
    plans: Mapping[str, Any],
    record: Mapping[str, Any],
) -> list[str]:
    """What is unlike all that the model has seen, in words.

    Far is an axis whose spacing is :data:`FACTOR` times below the smallest or above the largest
    of the training cases. Axes that run towards other sides of the patient matter because
    nnU-Net takes arrays as they are.

    Args:
        images: the channels of a case, or their files, of which only the first's header is
            read; of a file that is no image nothing is said.
        plans: of nnU-Net; their spacings are z, y, x.
        record: nnplug's record in the checkpoint; models of others have none.
    """
    axes = orientation.axes(images[0]) if images else None
    return [] if axes is None else [*_spacing(axes, plans), *_sides(axes, record)]


def _spacing(axes: Axes, plans: Mapping[str, Any]) -> list[str]:
    known = plans.get("dataset_properties", {}).get("all_spacings", ())
    if not len(known):
        return []
    lowest, highest = (limit(np.array(known), axis=0)[::-1] for limit in (np.min, np.max))
    apart = [
        f"{axis} {now:.4g} mm (training: {low:.4g} to {high:.4g})"
        for axis, now, low, high in zip("xyz", axes.spacing, lowest, highest, strict=True)
        if now * FACTOR < low or now > high * FACTOR
    ]
    return (
        [f"its spacing is unlike that of the training cases: {', '.join(apart)}"] if apart else []
    )


def _sides(axes: Axes, record: Mapping[str, Any]) -> list[str]:
    known = record.get("orientations") or ()
    if not known or axes.code in known:
        return []
    return [
        f"its axes x, y, z run towards {axes.code}, those of the training cases towards "
        f"{' or '.join(known)}; nnU-Net does not turn images (convert.orient does)"
    ]
