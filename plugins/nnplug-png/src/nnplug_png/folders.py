"""Which files are slices, and whether a source holds stacks or single files."""

from __future__ import annotations

from pathlib import Path

from nnplug.errors import SourceError
from nnplug.types import Source
from nnplug_png.numbering import skeleton

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")


def slices_in(folder: Path) -> list[Path]:
    """Return the image files directly in a folder, hidden ones left out, by name."""
    return sorted(
        p
        for p in folder.iterdir()
        if p.name.lower().endswith(SUFFIXES) and not p.name.startswith(".") and p.is_file()
    )


def is_stacks(source: Source) -> bool:
    """Tell whether the images of a source are folders of slices, rather than files.

    Raises:
        SourceError: both are there, or files that can be either.
    """
    if source.layout.images:
        return not source.layout.images[0].lower().endswith(SUFFIXES)
    if not source.root.is_dir():
        return False
    inside = subfolders(source.root)
    tops = [f for f in inside if f.name.lower() in ("images", "imagestr", "imagests")]
    if tops:
        stacks = [f for top in tops for f in subfolders(top) if slices_in(f)]
        files = [f for top in tops for f in slices_in(top)]
        if stacks and files:
            raise _both(source, stacks[0], files[0])
        return bool(stacks)
    files = slices_in(source.root)
    stacks = [f for f in inside if slices_in(f)]
    if files and stacks:
        raise _both(source, stacks[0], files[0])
    if len(files) > 1:
        raise SourceError(
            f"the {len(files)} files here could be one stack or as many cases",
            where=str(source.root),
            hint="put the slices of each case into a folder of its own; for cases of one file "
            "each put them into images/ or write dataset.images=['{case}.png']",
        )
    if any(slices_in(inner) for folder in inside for inner in subfolders(folder)):
        return True
    return bool(stacks) and all(
        len({skeleton(p.stem) for p in slices_in(folder)}) == 1 for folder in stacks
    )


def subfolders(folder: Path) -> list[Path]:
    """Return the folders directly in a folder, hidden ones left out, by name."""
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _both(source: Source, stack: Path, file: Path) -> SourceError:
    return SourceError(
        f"there are folders of slices ({stack.name}) and single files ({file.name})",
        where=str(source.root),
        hint="convert them one after the other, or choose with dataset.images",
    )
