"""What Pillow leaves out of a TIFF file: signs, byte order, and what its pages are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nnplug.errors import SourceError

_DESCRIPTION = 270
_SAMPLE_FORMAT = 339
_KINDS = {("L", 1): "u1", ("L", 2): "i1", ("I", 1): "u4", ("I", 2): "i4", ("F", 3): "f4"}
_MAX_VOXELS = 2**33
_IMAGEJ = re.compile(r"^(channels|frames)=(\d+)", re.MULTILINE)
_OME = re.compile(r'\bSize([CT])="(\d+)"')


def check_pages(image: Image.Image, pages: int, path: Path) -> None:
    """Refuse pages that the file calls channels or time points.

    ImageJ (``channels=2``) and OME (``SizeC="2"``) say so in the ImageDescription tag; how
    their pages are ordered is not guessed.

    Raises:
        SourceError: there are several channels or time points, or too many voxels.
    """
    width, height = image.size
    if pages * width * height > _MAX_VOXELS:
        raise SourceError(
            f"the file claims {width} x {height} x {pages} voxels",
            where=str(path),
            hint="the file is probably damaged",
        )
    text = str(image.tag_v2.get(_DESCRIPTION, ""))  # type: ignore[attr-defined]
    found = _IMAGEJ.findall(text) if text.startswith("ImageJ=") else _OME.findall(text)
    several = [f"{name}={count}" for name, count in found if int(count) > 1]
    if several:
        raise SourceError(
            f"the pages are not all slices of one volume: the file says {', '.join(several)}",
            where=str(path),
            hint="write one file a channel and time point",
        )


def as_stored(page: Image.Image, path: Path) -> NDArray[Any]:
    """Return grey values with the signs that the SampleFormat tag (TIFF 6.0, section 19) gives.

    Args:
        page: a page that Pillow has read as mode ``L``, ``I`` or ``F``.
        path: the file, for errors.

    Returns:
        (y, x); int8, uint8, int32, uint32 or float32.

    Raises:
        SourceError: the samples are of another kind, or wide, big-endian and compressed, which
            Pillow gives in the wrong byte order.
    """
    tags = page.tag_v2  # type: ignore[attr-defined]
    (sample, *_) = tags.get(_SAMPLE_FORMAT, (1,))
    compressed = page.info.get("compression", "raw") != "raw"
    kind = _KINDS.get((page.mode, int(sample)))
    if kind is None or (page.mode != "L" and tags.prefix == b"MM" and compressed):
        raise SourceError(
            "samples of this kind (big-endian, compressed, wide or not of whole numbers) can't be "
            "read",
            where=str(path),
            hint="write the file uncompressed, with samples of 8 or 16 bits or 32-bit floats",
        )
    return np.array(page).view(kind)
