"""The images and the label of a case on one grid: exactly where possible, else as was decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.config.settings import Convert
from nnplug.data import geometry, labels, resampling
from nnplug.errors import SourceError

Notes = dict[str, str]


def channels(
    images: Sequence[sitk.Image],
    names: Mapping[int, str],
    reference: int | None,
    convert: Convert,
    notes: Notes,
) -> list[sitk.Image]:
    """All channels of a case on the grid of the reference, or else of channel 0.

    Args:
        images: one a channel, each three-dimensional with one value a voxel.
        names: channel number to name.
        reference: the number of the channel whose grid all get; None resamples nothing.
        convert: says what happens to channels on other grids.
        notes: for the manifest; what was done is added.

    Raises:
        SourceError: a channel is on another grid and no reference was chosen, or it doesn't
            overlap the reference.
    """
    grid = images[reference or 0]
    result = []
    for number, image in enumerate(images):
        name = f"channel {number} ({names[number]})"
        try:
            result.append(_channel(image, grid, reference is not None, convert, name, notes))
        except SourceError as error:
            raise SourceError(f"{name}: {error.problem}", hint=error.hint) from error
    return result


def label(image: sitk.Image, grid: sitk.Image, convert: Convert, notes: Notes) -> NDArray[Any]:
    """The integer values (z, y, x) of a label on the grid of its image.

    A label whose voxels are voxels of the grid (axes turned, cropped) is placed exactly, with
    zeros around. Any other grid is refused, unless ``convert.resample_label`` allows it.

    Raises:
        SourceError: another grid, values that aren't whole, or labelled voxels outside.
    """
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise SourceError(
            "the label is not a three-dimensional image with one value a voxel but has "
            f"{image.GetDimension()} axes and {image.GetNumberOfComponentsPerPixel()} values"
        )
    values = labels.integers(image)
    apart = geometry.differences(grid, image)
    if not apart:
        if not geometry.same_header(grid, image):
            notes["label header"] = "set to the image's (equal within the tolerances)"
        return values
    place = geometry.placement(image, grid)
    if place is not None:
        notes["label grid"] = str(place)
        if not place.covers(grid):
            notes["label grid"] += f"; placed at voxel {place.offset} (x, y, z), zeros around"
        return _placed(place.turn(values), place, grid)
    if convert.resample_label:
        whole = sitk.GetImageFromArray(values)
        whole.CopyInformation(image)
        notes["label grid"] = f"resampled by nearest neighbour: {'; '.join(apart)}"
        return sitk.GetArrayFromImage(resampling.label(whole, grid))
    raise SourceError(
        f"image and label are not on one grid: {'; '.join(apart)}",
        hint="take the label that was drawn on this image, or allow its resampling by nearest "
        "neighbour: convert.resample_label=true",
    )


def _channel(
    image: sitk.Image, grid: sitk.Image, resample: bool, convert: Convert, name: str, notes: Notes
) -> sitk.Image:
    apart = geometry.differences(grid, image)
    if not apart:
        if geometry.same_header(image, grid):
            return image
        notes[f"{name} header"] = "set to the others' (equal within the tolerances)"
        result = sitk.Image(image)
    else:
        place = geometry.placement(image, grid)
        if place is None or not place.covers(grid):
            if not resample:
                raise SourceError(
                    f"not on the grid of channel 0: {'; '.join(apart)}",
                    hint="choose the channel whose grid all get: convert.reference=CHANNEL "
                    "(with convert.interpolation and convert.outside)",
                )
            result, missing = resampling.channel(
                image, grid, convert.interpolation, convert.outside
            )
            notes[f"{name} grid"] = (
                f"resampled ({convert.interpolation}); {missing:.1%} outside its field of view"
            )
            return result
        notes[f"{name} grid"] = str(place)
        result = sitk.GetImageFromArray(place.turn(sitk.GetArrayViewFromImage(image)))
    result.CopyInformation(grid)
    return result


def _placed(
    values: NDArray[Any], place: geometry.Placement, grid: sitk.Image
) -> NDArray[np.integer[Any]]:
    """``values`` (z, y, x, axes turned) at their place in an array of the grid's size."""
    result = np.zeros(grid.GetSize()[::-1], values.dtype)
    into, taken = [], []
    for start, size, room in zip(place.offset, place.size, grid.GetSize(), strict=True):
        low, high = min(max(start, 0), room), max(min(start + size, room), 0)
        into.append(slice(low, high))
        taken.append(slice(low - start, high - start))
    inside = values[tuple(reversed(taken))]
    lost = int(np.count_nonzero(values)) - int(np.count_nonzero(inside))
    if lost:
        raise SourceError(
            f"{lost} labelled voxels lie outside the image",
            hint="take the label that was drawn on this image, or crop it to the image",
        )
    result[tuple(reversed(into))] = inside
    return result
