"""Pixels of one file, as they are stored."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence, UnidentifiedImageError

from nnplug.errors import SourceError
from nnplug_png.colours import to_values
from nnplug_png.tiff import as_stored, check_pages

Pixels = NDArray[Any]
Rgb = Literal["error", "split", "luminance"]
_FORMATS = ("PNG", "TIFF", "JPEG", "BMP")
_BITS_PER_SAMPLE = 258
_ORIENTATION = 274
_UNSCALE = {2: 85, 4: 17}


@dataclass(frozen=True)
class Look:
    """What a file's header says: columns and rows, pages, and whether pixels are colours."""

    size: tuple[int, int]
    pages: int
    colour: bool


def look(path: Path) -> Look:
    """Read a file's header.

    Raises:
        SourceError: it is none, or too large.
    """
    with _explained(path), Image.open(path, formats=_FORMATS) as image:
        colour = image.mode in ("P", "PA", "RGB", "RGBA")
        return Look(image.size, getattr(image, "n_frames", 1), colour)


def read_pages(
    path: Path, *, rgb: Rgb, label: bool, colours: Mapping[str, int] | None = None
) -> list[Pixels]:
    """Read a file's pages, one for all but TIFF.

    Args:
        path: a PNG, TIFF, JPEG or BMP file.
        rgb: what to do with colour.
        label: values are classes: palette indices count, and nothing may have changed them.
        colours: a label's classes are these colours; see :class:`nnplug_png.options.PngLabels`.

    Returns:
        Arrays of (y, x), or (y, x, 3) for colour that is to be split. Values are those in the
        file: uint8 for up to 8 bits, uint16 for 16 bits, else int32 or float32.

    Raises:
        SourceError: the file is damaged, too large, or holds what can't be kept (colour without
            permission, 16-bit colour, transparency, a label as JPEG).
    """
    with _explained(path), Image.open(path, formats=_FORMATS) as image:
        lossy = image.format == "JPEG" or "jpeg" in str(image.info.get("compression"))
        if label and lossy:
            raise SourceError(
                "a label as JPEG has lost its values to compression",
                where=str(path),
                hint="export the label as PNG",
            )
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "TIFF":
            raise SourceError(
                f"the file has {frames} frames",
                where=str(path),
                hint="write one file a slice, or a TIFF of several pages",
            )
        if frames > 1:
            check_pages(image, frames, path)
        return [_pixels(page, path, rgb, label, colours) for page in ImageSequence.Iterator(image)]


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            yield
    except (Image.DecompressionBombWarning, Image.DecompressionBombError, MemoryError) as error:
        raise SourceError(
            "the image claims to be larger than a slice can be",
            where=str(path),
            hint="the file is probably damaged; cut or scale really large images",
        ) from error
    except UnidentifiedImageError as error:
        raise SourceError(
            "this is no PNG, TIFF, JPEG or BMP file",
            where=str(path),
            hint="it is empty, damaged or of another format; export it again",
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, TypeError) as error:
        raise SourceError(
            f"the file can't be read ({str(error)[:200]})",
            where=str(path),
            hint="it is probably cut short or damaged; copy or export it again",
        ) from error


def _pixels(
    page: Image.Image, path: Path, rgb: Rgb, label: bool, colours: Mapping[str, int] | None
) -> Pixels:
    if page.format == "TIFF" and page.tag_v2.get(_ORIENTATION, 1) != 1:  # type: ignore[attr-defined]
        raise SourceError(
            "the file has a rotation tag",
            where=str(path),
            hint="export it with the pixels in their final order",
        )
    bits = _bits(page, path)
    page.load()
    mode = page.mode
    if colours and mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA") and bits <= 8:
        return to_values(page, colours, path)
    if mode == "P" and label:
        return np.array(page, dtype=np.uint8)
    if mode == "1":
        return np.array(page).astype(np.uint8)
    if mode in ("L", "I", "F") and page.format == "TIFF" and bits >= 8:
        return as_stored(page, path)
    if mode == "L":
        return np.array(page, dtype=np.uint8) // np.uint8(_UNSCALE.get(bits, 1))
    if mode.startswith("I;16") or (mode == "I" and page.format == "PNG"):
        return np.array(page).astype(np.uint16)
    if mode in ("LA", "RGBA", "PA"):
        page = _opaque(page, path)
        if page.mode == "L":
            return np.array(page, dtype=np.uint8)
    if page.mode not in ("RGB", "P"):
        raise SourceError(
            f"pixels of kind {mode} can't be read",
            where=str(path),
            hint="export the image as grey values of 8 or 16 bits",
        )
    return _colour(page, path, rgb, label, bits)


def _colour(page: Image.Image, path: Path, rgb: Rgb, label: bool, bits: int) -> Pixels:
    if rgb == "error":
        raise SourceError(
            f"this is a colour {'label' if label else 'image'}",
            where=str(path),
            hint="say which colour is which value with converter.labels.colours"
            if label
            else "export grey values, or choose converter.rgb=luminance or converter.rgb=split",
        )
    if bits > 8:
        raise SourceError(
            f"colour of {bits} bits a channel would be cut to 8",
            where=str(path),
            hint="export three grey images of 16 bits",
        )
    colours = np.array(page.convert("RGB"), dtype=np.uint8)
    if label:
        if np.any(colours != colours[..., :1]):
            raise SourceError(
                "the label's classes are colours",
                where=str(path),
                hint="say which colour is which value with converter.labels.colours",
            )
        return colours[..., 0]
    return colours if rgb == "split" else np.array(page.convert("RGB").convert("L"))


def _opaque(page: Image.Image, path: Path) -> Image.Image:
    """Return the page without its alpha channel, which has to be full everywhere."""
    if page.getchannel("A").getextrema() != (255, 255):
        raise SourceError(
            "the image is transparent in places",
            where=str(path),
            hint="export it without an alpha channel",
        )
    return page.convert("L" if page.mode == "LA" else "RGB")


def _bits(page: Image.Image, path: Path) -> int:
    """Return the bits of a stored sample: Pillow scales some depths to 8."""
    if page.format == "PNG":
        with path.open("rb") as file:
            return file.read(25)[-1]
    if page.format == "TIFF":
        return int(max(page.tag_v2.get(_BITS_PER_SAMPLE, (1,))))  # type: ignore[attr-defined]
    return 8
