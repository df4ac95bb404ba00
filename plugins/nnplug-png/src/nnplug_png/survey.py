"""What a source of PNG, TIFF, JPEG and BMP files holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from nnplug import survey as files
from nnplug.errors import SourceError
from nnplug.types import Found, Source, Survey
from nnplug_png.folders import SUFFIXES, is_stacks, slices_in
from nnplug_png.pixels import look

COLOURS = {0: "red", 1: "green", 2: "blue"}


def survey(root: Path) -> Survey:
    """List images and labels by their headers.

    The spacing is not in the files, so ``options["spacing"]`` is None and has to be filled in.
    Colour images become the channels red, green and blue, and folders of masks one label.
    """
    try:
        stacks = is_stacks(Source(root))
    except SourceError as error:
        found = tuple(Found(p.name, "image", problem=error.problem) for p in slices_in(root))
        return Survey(found or (Found(".", "image", problem=error.problem),))
    seen = files.survey(root, _grid, suffixes=SUFFIXES, folders=stacks)
    options: dict[str, Any] = {"spacing": None}
    if not any(f.kind == "label" and f.use for f in seen.found):
        objects = files.survey(root, _grid, suffixes=SUFFIXES, folders=stacks, label_folders=True)
        if any(f.kind == "label" and f.use for f in objects.found):
            seen = replace(objects, labels={"background": 0, "object": 1})
            options["labels"] = {"masks": "objects"}
    images = [f for f in seen.found if f.kind == "image" and f.use]
    if images and len(seen.channels) == 1 and _is_colour(root / images[0].path):
        options["rgb"] = "split"
        found = tuple(
            replace(f, use=tuple(COLOURS.values())) if f in images else f for f in seen.found
        )
        seen = replace(seen, channels=COLOURS, found=found)
    return replace(seen, options=options)


def _grid(path: Path) -> files.Grid:
    slices = slices_in(path) if path.is_dir() else [path]
    if not slices:
        return (), ()
    first = look(slices[0])
    return (*first.size, first.pages * len(slices)), ()


def _is_colour(path: Path) -> bool:
    return look(slices_in(path)[0] if path.is_dir() else path).colour
