"""Which contours belong to which slice of an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnplug.errors import SourceError
from nnplug_dicom.volumes.lattice import Array

PARALLEL = 0.25
ON_SLICE = 0.05
SAME_PLANE = 0.1
SAME_PLANE_MM = 0.1


def per_slice(
    contours: Sequence[Array], shape: tuple[int, int, int], distance: float
) -> tuple[dict[int, list[Array]], list[str]]:
    """Give each slice the contours of the plane that is nearest to it, within half a slice.

    Contours are in one plane if they lie within 0.1 slices and 0.1 mm of one another. Slices
    without a contour stay empty: nothing is interpolated.

    Args:
        contours: each (points, 3), voxel indices x, y, z of the image.
        shape: of the image, z, y, x.
        distance: mm between slices.

    Returns:
        Slice number to contours (points, 2) in x, y, and remarks for the manifest.

    Raises:
        SourceError: a contour is not parallel to the slices (its points differ by more than 0.25
            slices), all lie outside the image, or only every second, third, ... slice has any.
    """
    tilt = max(float(np.ptp(contour[:, 2])) for contour in contours)
    if tilt > PARALLEL:
        raise SourceError(
            f"a contour is not parallel to the slices but spans {tilt:.3g} of them",
            hint="was it drawn on another series? take that one as channel 0",
        )
    slices, remarks = _nearest(contours, shape[0], min(SAME_PLANE, SAME_PLANE_MM / distance))
    flat = {k: [contours[i][:, :2] for i in members] for k, members in slices.items()}
    beyond = sum(_beyond(contour, shape) for found in flat.values() for contour in found)
    if beyond:
        remarks.append(f"contours that reach beyond the image, cut off: {beyond}")
    return flat, remarks + _gaps(sorted(slices))


def _nearest(
    contours: Sequence[Array], count: int, together: float
) -> tuple[dict[int, list[int]], list[str]]:
    """The contours (indices) of the plane nearest to each slice, and what of them is special."""
    heights = np.array([contour[:, 2].mean() for contour in contours])
    order = np.argsort(heights)
    planes = np.split(order, np.flatnonzero(np.diff(heights[order]) > together) + 1)
    nearest: dict[int, tuple[float, list[int]]] = {}
    outside = 0
    for members in planes:
        height = float(heights[members].mean())
        k = int(np.floor(height + 0.5))
        if not 0 <= k < count:
            outside += len(members)
        elif k not in nearest or abs(height - k) < nearest[k][0]:
            nearest[k] = (abs(height - k), members.tolist())
    if not nearest:
        raise SourceError(
            f"all {outside} contours lie outside the image",
            hint="were they drawn on another series? take that one as channel 0",
        )
    between = sum(len(members) for off, members in nearest.values() if off > ON_SLICE)
    unused = len(contours) - outside - sum(len(members) for _, members in nearest.values())
    counts = {
        "contours outside the image, left out": outside,
        "contours between slices, drawn on the nearest": between,
        "contours between slices, left out because others are nearer": unused,
    }
    remarks = [f"{what}: {number}" for what, number in counts.items() if number]
    return {k: members for k, (_, members) in nearest.items()}, remarks


def _beyond(contour: Array, shape: tuple[int, int, int]) -> bool:
    limits = np.array([shape[2], shape[1]]) - 0.5
    return bool((contour < -0.5).any() or (contour > limits).any())


def _gaps(slices: Sequence[int]) -> list[str]:
    steps = np.diff(slices)
    if len(steps) > 1 and steps.min() > 1 and np.ptp(steps) <= 1:
        raise SourceError(
            f"its contours lie {steps.min()} slices apart; those between would be background",
            hint="interpolate them where they were drawn, or take the series that they were "
            "drawn on as channel 0",
        )
    missing = int((steps - 1).sum())
    return [f"slices between contours, left empty: {missing}"] if missing else []
