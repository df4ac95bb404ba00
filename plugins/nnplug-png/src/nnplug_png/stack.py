"""A volume from a folder of slices or from one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnplug.errors import SourceError
from nnplug_png.folders import slices_in
from nnplug_png.numbering import numbered
from nnplug_png.pixels import Pixels, Rgb, read_pages


@dataclass(frozen=True)
class Stack:
    """A volume that was read.

    Attributes:
        voxels: (z, y, x), or (z, y, x, 3) for colour that is to be split.
        numbers: the slices' numbers in order; the pages' from 0 for a single file.
    """

    voxels: Pixels
    numbers: tuple[int, ...]


def read_stack(
    path: Path, *, rgb: Rgb, label: bool = False, colours: Mapping[str, int] | None = None
) -> Stack:
    """Read a folder of slices in the order of their numbers, or one file page by page.

    Arguments are those of :func:`nnplug_png.pixels.read_pages`.

    Raises:
        SourceError: see :meth:`nnplug_png.converter.PngConverter.read`.
    """
    if path.is_dir():
        files = numbered(slices_in(path), str(path))
        pages = []
        for file in files.values():
            inside = read_pages(file, rgb=rgb, label=label, colours=colours)
            if len(inside) != 1:
                raise SourceError(
                    f"the slice has {len(inside)} pages",
                    where=str(file),
                    hint="keep one slice a file, or the whole volume in one TIFF file",
                )
            pages += inside
            _check_like(pages[0], inside[0], file, next(iter(files.values())).name)
        numbers = tuple(files)
    else:
        pages = read_pages(path, rgb=rgb, label=label, colours=colours)
        for number, page in enumerate(pages):
            _check_like(pages[0], page, path, f"page 0 (this is page {number})")
        numbers = tuple(range(len(pages)))
    return Stack(np.stack(pages), numbers)


def _check_like(first: Pixels, other: Pixels, path: Path, name: str) -> None:
    if first.shape != other.shape or first.dtype != other.dtype:
        raise SourceError(
            f"the slice is {_looks(other)}, {name} is {_looks(first)}",
            where=str(path),
            hint="export all slices of a stack with the same size and pixel type",
        )


def _looks(pixels: Pixels) -> str:
    colour = " in colour" if pixels.ndim == 3 else ""
    return f"{pixels.shape[1]} x {pixels.shape[0]} {pixels.dtype}{colour}"
