"""Label images: whole numbers that the dataset declares, on the image's grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.errors import SourceError


def integers(label: sitk.Image) -> NDArray[np.integer[Any]]:
    """The label's values (z, y, x) as an integer array.

    Raises:
        SourceError: a value is not a whole number.
    """
    values = sitk.GetArrayFromImage(label)
    if np.issubdtype(values.dtype, np.integer):
        return values
    if not np.isfinite(values).all():
        raise SourceError("the label holds values that are not finite")
    whole = values.astype(np.int64)
    if not np.array_equal(whole, values):
        odd = values[values != whole][:3].tolist()
        raise SourceError(
            f"the label holds values that are not whole numbers, e.g. {odd}",
            hint="is this an image or a probability map instead of a label?",
        )
    return whole


def count(values: NDArray[np.integer[Any]]) -> dict[int, int]:
    """How many voxels have each value, in the order of the values; plane by plane."""
    total: Counter[int] = Counter()
    for plane in values:
        found, numbers = np.unique(plane, return_counts=True)
        total.update(dict(zip(found.tolist(), numbers.tolist(), strict=True)))
    return dict(sorted(total.items()))


def check_declared(counts: Mapping[int, int], labels: Mapping[str, int]) -> None:
    """Refuse values that the dataset doesn't declare.

    Raises:
        SourceError: with the values and their voxel counts.
    """
    unknown = {value: number for value, number in counts.items() if value not in labels.values()}
    if unknown:
        listed = ", ".join(f"{value} ({number} voxels)" for value, number in unknown.items())
        raise SourceError(
            f"the label holds values that dataset.labels does not declare: {listed}",
            hint=f"declared: {dict(labels)}; declare them, or change them with remap=table",
        )


def image_of(values: NDArray[np.integer[Any]], grid: sitk.Image) -> sitk.Image:
    """A uint8 label image with the geometry of ``grid``; ``values`` are z, y, x."""
    label = sitk.GetImageFromArray(values.astype(np.uint8, copy=False))
    label.CopyInformation(grid)
    return label
