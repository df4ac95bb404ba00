"""Pictures of label contours over images, for a look by eye."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image

from nnplug.data.orientation import code
from nnplug.data.sampling import sample
from nnplug.whole import replacing

COLOURS = np.array(
    [
        *((230, 60, 50), (60, 160, 230), (250, 190, 40), (90, 200, 90), (180, 90, 220)),
        *((240, 130, 40), (60, 210, 200), (230, 110, 170), (150, 150, 60), (120, 110, 240)),
    ],
    dtype=np.uint8,
)
GREYS = 256 - len(COLOURS)
PALETTE = np.concatenate(
    [np.linspace(0, 255, GREYS, dtype=np.uint8)[:, None].repeat(3, axis=1), COLOURS]
)
WINDOW_PERCENTILES = (0.5, 99.5)
EDGE_PIXELS = 256
GAP_PIXELS = 4


def write(image: sitk.Image, labels: Sequence[sitk.Image], path: Path) -> None:
    """Write a PNG: a row a label image, in it an axial, a coronal and a sagittal plane.

    The planes are those through the centre of the first label image's foreground; where one
    misses the label, the nearest that doesn't. Without a label, or without foreground, they are
    the middle ones. They are shown as in radiology: the patient's right on the left, the front
    or the head on top. Pixels are scaled to equal lengths in mm. Labels are drawn as contours,
    a colour a value. Planes across the only slice of an image are left out.

    Args:
        image: the image below the contours.
        labels: label images on its grid; may be empty.
        path: the picture's place.

    Raises:
        StorageError: nothing can be written there.
    """
    values, spacing = _patient_axes(image)
    low, high = np.percentile(sample(sitk.GetArrayViewFromImage(image)), WINDOW_PERCENTILES)
    masks = [_patient_axes(label)[0] for label in labels] or [np.zeros(values.shape, np.uint8)]
    centre = _centre(masks[0])
    single = [axis for axis in range(3) if values.shape[axis] == 1]
    planes = []
    for axis in single[:1] or range(3):
        at = (slice(None),) * axis + (centre[axis],)
        lengths = [spacing[other] for other in range(3) if other != axis]
        shades = np.clip((values[at] - low) / max(float(high - low), 1e-6), 0, 1) * (GREYS - 1)
        grey = _scale(shades.astype(np.uint8), lengths, Image.Resampling.BILINEAR)
        drawn = [_scale(mask[at], lengths, Image.Resampling.NEAREST) for mask in masks]
        column = [_contoured(grey, mask)[:: 1 if axis == 0 else -1] for mask in drawn]
        planes.append(column)
    tallest = max(plane.shape[0] for column in planes for plane in column)
    columns = [
        np.concatenate([_pad(plane, tallest + GAP_PIXELS) for plane in column]) for column in planes
    ]
    picture = Image.fromarray(np.concatenate(columns, axis=1))
    picture.putpalette(PALETTE.tobytes())
    with replacing(path) as partial:
        picture.save(partial, format="PNG", compress_level=1, compress_type=zlib.Z_RLE)


def _patient_axes(image: sitk.Image) -> tuple[NDArray[Any], tuple[float, ...]]:
    """A view of the voxels with axes to the head, the back and the left, and their spacings."""
    values = sitk.GetArrayViewFromImage(image)
    letters = code(image)
    axes, flips = [], []
    for there, back in ("SI", "PA", "LR"):
        number = next(i for i, letter in enumerate(letters) if letter in (there, back))
        axes.append(number)
        flips.append(slice(None, None, -1 if letters[number] == back else None))
    turned = values.transpose([2 - number for number in axes])[tuple(flips)]
    return turned, tuple(image.GetSpacing()[number] for number in axes)


def _centre(mask: NDArray[Any]) -> tuple[int, ...]:
    """Across each axis the plane that holds foreground and is nearest to the foreground's mean."""
    inside = (mask != 0).view(np.uint8)
    columns = inside.sum(axis=0, dtype=np.uint32)
    rows = inside.sum(axis=2, dtype=np.uint32)
    return tuple(
        _nearest_to_mean(counts) for counts in (rows.sum(axis=1), rows.sum(axis=0), columns.sum(0))
    )


def _nearest_to_mean(counts: NDArray[Any]) -> int:
    filled = np.flatnonzero(counts)
    if not filled.size:
        return counts.size // 2
    mean = np.average(np.arange(counts.size), weights=counts)
    return int(filled[np.abs(filled - mean).argmin()])


def _scale(
    plane: NDArray[Any], spacing: Sequence[float], resampling: Image.Resampling
) -> NDArray[Any]:
    height, width = plane.shape[0] * spacing[0], plane.shape[1] * spacing[1]
    factor = EDGE_PIXELS / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    pixels = plane if plane.dtype == np.uint8 else plane.astype(np.int32)
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, resampling))


def _contoured(grey: NDArray[np.uint8], mask: NDArray[Any]) -> NDArray[np.uint8]:
    """``grey`` with the pixels of ``mask`` that touch another value in that value's colour."""
    around = np.pad(mask, 1)
    neighbours = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    edge = (mask != 0) & np.any([other != mask for other in neighbours], axis=0)
    picture = grey.copy()
    picture[edge] = GREYS + (mask[edge].astype(int) - 1) % len(COLOURS)
    return picture


def _pad(picture: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """``picture`` with black below, and a gap on the right."""
    return np.pad(picture, ((0, height - picture.shape[0]), (0, GAP_PIXELS)))
