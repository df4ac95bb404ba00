"""Labels that are folders with the mask of one object an entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug.rois import choose, paint
from nnplug_png.folders import slices_in, subfolders
from nnplug_png.numbering import number_of
from nnplug_png.options import PngLabels
from nnplug_png.stack import Stack, read_stack

Mask = NDArray[np.bool_]


def read_objects(
    folder: Path, image: Stack, labels: Mapping[str, int], options: PngLabels
) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """Read the objects of a case as one label.

    With one foreground label and no ``rois`` every object is of that label.

    Args:
        folder: the case's objects.
        image: the image that they lie on.
        labels: label name to value of the dataset.
        options: how objects are stored and chosen.

    Returns:
        The label (z, y, x), and notes for the manifest.

    Raises:
        SourceError: a mask is not binary, empty or of another size than the image, or
            :func:`nnplug.rois.choose` or :func:`nnplug.rois.paint` refuses.
    """
    find = _of_slices if options.masks == "slice_objects" else _of_image
    objects = list(find(folder, image))
    foreground = [name for name, value in labels.items() if value != 0]
    if not options.rois and len(foreground) == 1:
        options = replace(options, rois={foreground[0]: ["*"]})
    try:
        chosen = choose([name for name, _ in objects], labels, options)

        def masks() -> Iterator[tuple[str, Mask]]:
            for label, indices in chosen.items():
                union = np.zeros(image.voxels.shape[:3], bool)
                for index in indices:
                    objects[index][1](union)
                yield label, union

        label, notes = paint(image.voxels.shape[:3], masks(), labels, options)
    except SourceError as error:
        raise SourceError(
            error.problem, where=error.where or str(folder), hint=error.hint
        ) from error
    return label, {"objects": str(len(objects)), **notes}


Painter = Callable[[Mask], None]


def _of_image(folder: Path, image: Stack) -> Iterator[tuple[str, Painter]]:
    """Objects that are stored like the image: files, or folders of slices."""
    flat = len(image.voxels) == 1
    for path in (*slices_in(folder), *(() if flat else subfolders(folder))):
        yield path.stem if path.is_file() else path.name, _painter(path, image, slice(None))
    for inner in subfolders(folder) if flat else ():
        for path in slices_in(inner):
            yield f"{inner.name}/{path.stem}", _painter(path, image, slice(None))


def _of_slices(folder: Path, image: Stack) -> Iterator[tuple[str, Painter]]:
    """Objects of single slices, in folders that carry the slices' numbers."""
    for inner in subfolders(folder):
        number = number_of(inner.name)
        if number not in image.numbers:
            raise SourceError(
                f"the image has no slice {number}",
                where=str(inner),
                hint="name the folder like the slice whose objects it holds",
            )
        position = image.numbers.index(number)
        for path in slices_in(inner):
            yield path.stem, _painter(path, image, slice(position, position + 1))


def _painter(path: Path, image: Stack, where: slice) -> Painter:
    def add(union: Mask) -> None:
        mask = read_stack(path, rgb="error", label=True)
        part = union[where]
        if mask.voxels.shape != part.shape:
            raise SourceError(
                f"the mask has {mask.voxels.shape} voxels (z, y, x), the image {part.shape}",
                where=str(path),
                hint="every object's mask has to be as large as the image",
            )
        if path.is_dir() and mask.numbers != image.numbers:
            raise SourceError(
                "mask and image have different slices",
                where=str(path),
                hint="give the slices of both the same numbers",
            )
        values = np.unique(mask.voxels)
        if len(values[values != 0]) != 1:
            what = "is empty" if not values.any() else f"has the values {values[:5].tolist()}"
            raise SourceError(
                f"the mask of this object {what}",
                where=str(path),
                hint="a mask has 0 and one other value",
            )
        part |= mask.voxels != 0

    return add
