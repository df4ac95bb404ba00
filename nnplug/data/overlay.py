"""Pictures of labels over images, for a look by eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image

from nnplug.data.files import replacing

COLOURS = np.array(
    [
        *((230, 60, 50), (60, 160, 230), (250, 190, 40), (90, 200, 90), (180, 90, 220)),
        *((240, 130, 40), (60, 210, 200), (230, 110, 170), (150, 150, 60), (120, 110, 240)),
    ],
    dtype=np.float32,
)
OPACITY = 0.45
WINDOW_PERCENTILES = (0.5, 99.5)
EDGE_PIXELS = 256
GAP_PIXELS = 4


def write(image: sitk.Image, labels: Sequence[sitk.Image], path: Path) -> None:
    """Write a PNG: a row a label image, in it an axial, a coronal and a sagittal plane.

    Each plane is the one with most foreground in the first label image (or the middle one);
    pixels are scaled to equal lengths in mm. All images share one grid.

    Raises:
        StorageError: nothing can be written there.
    """
    values = sitk.GetArrayViewFromImage(image)
    low, high = np.percentile(values, WINDOW_PERCENTILES)
    grey = np.clip((values - low) / max(float(high - low), 1e-6), 0, 1).astype(np.float32) * 255
    masks = [sitk.GetArrayViewFromImage(label) for label in labels]
    centre = _centre(masks[0])
    x, y, z = image.GetSpacing()
    rows = [_row(grey, mask, centre, (z, y, x)) for mask in masks]
    picture = np.concatenate([_pad(row, bottom=True) for row in rows], axis=0)
    with replacing(path) as partial:
        Image.fromarray(picture).save(partial, format="PNG")


def _centre(mask: NDArray[Any]) -> tuple[int, int, int]:
    z, y, x = (_fullest(mask, axis) for axis in range(3))
    return z, y, x


def _fullest(mask: NDArray[Any], axis: int) -> int:
    """The plane across ``axis`` with most foreground; among equals the one nearest the middle."""
    others = tuple(other for other in range(3) if other != axis)
    counts = np.count_nonzero(mask, axis=others)
    best = np.flatnonzero(counts == counts.max())
    return int(best[np.abs(best - mask.shape[axis] // 2).argmin()])


def _row(
    grey: NDArray[np.float32],
    mask: NDArray[Any],
    centre: tuple[int, int, int],
    spacing: tuple[float, float, float],
) -> NDArray[np.uint8]:
    planes = []
    for axis in range(3):
        at = (slice(None),) * axis + (centre[axis],)
        flat = _blend(grey[at], mask[at])
        vertical, horizontal = (spacing[other] for other in range(3) if other != axis)
        if axis > 0:
            flat = flat[::-1]
        planes.append(_pad(_scale(flat, vertical, horizontal)))
    tallest = max(plane.shape[0] for plane in planes)
    padded = [np.pad(plane, ((0, tallest - plane.shape[0]), (0, 0), (0, 0))) for plane in planes]
    return np.concatenate(padded, axis=1)


def _blend(grey: NDArray[np.float32], mask: NDArray[Any]) -> NDArray[np.uint8]:
    picture = np.repeat(grey[..., None], 3, axis=2)
    inside = mask > 0
    colours = COLOURS[(mask[inside].astype(int) - 1) % len(COLOURS)]
    picture[inside] = (1 - OPACITY) * picture[inside] + OPACITY * colours
    return picture.astype(np.uint8)


def _scale(picture: NDArray[np.uint8], vertical: float, horizontal: float) -> NDArray[np.uint8]:
    height, width = picture.shape[0] * vertical, picture.shape[1] * horizontal
    factor = EDGE_PIXELS / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.NEAREST))


def _pad(picture: NDArray[np.uint8], *, bottom: bool = False) -> NDArray[np.uint8]:
    sides = ((0, GAP_PIXELS), (0, 0), (0, 0)) if bottom else ((0, 0), (0, GAP_PIXELS), (0, 0))
    return np.pad(picture, sides)
