"""Labels that were drawn on the slices of a series, whatever their headers make of the slices."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug_dicom.volumes.stack import Stack

_PARALLEL = 0.999
_PIXELS = 0.1


def on_slices(label: sitk.Image, stack: Stack) -> NDArray[Any] | None:
    """Return the planes of a label in the order of the stack's slices.

    A label is on the slices if it has their size, their axes x and y (in any order, turned or
    not) and their pixel spacing, and its first or its last plane lies where that of the stack
    does, all within a tenth of a pixel. Tools that write one grid for uneven or tilted slices
    can't have more than one end right.

    Returns:
        An array (slices, rows, columns), or None.
    """
    along = stack.axes.T @ np.array(label.GetDirection()).reshape(3, 3)
    axes = [int(a) for a in np.abs(along).argmax(axis=1)]
    signs = np.sign(along[range(3), axes])
    if sorted(axes) != [0, 1, 2] or np.abs(along[[0, 1], axes[:2]]).min() < _PARALLEL:
        return None
    size = tuple(label.GetSize()[a] for a in axes)
    if size != stack.size:
        return None
    spacing = np.array([label.GetSpacing()[a] for a in axes[:2]])
    within = _PIXELS * min(stack.spacing)
    if (np.abs(spacing - stack.spacing) * stack.size[:2]).max() > within:
        return None
    ends = _ends(label, axes, signs)
    if all(
        np.linalg.norm(np.array(end) - place) > within
        for end, place in zip(ends, stack.positions[[0, -1]], strict=True)
    ):
        return None
    values = sitk.GetArrayFromImage(label).transpose([2 - a for a in reversed(axes)])
    turned = tuple(a for a in range(3) if signs[2 - a] < 0)
    return np.ascontiguousarray(np.flip(values, turned))


def _ends(
    label: sitk.Image, axes: list[int], signs: NDArray[Any]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The places of the first pixel in the first and in the last plane, seen from the stack."""
    first, last = [0, 0, 0], [0, 0, 0]
    for axis, sign, is_normal in zip(axes, signs, (False, False, True), strict=True):
        end = label.GetSize()[axis] - 1
        first[axis] = 0 if sign > 0 else end
        last[axis] = (end - first[axis]) if is_normal else first[axis]
    return label.TransformIndexToPhysicalPoint(first), label.TransformIndexToPhysicalPoint(last)
