"""What readers give, and what every grid must be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nnplug.errors import SourceError

if TYPE_CHECKING:
    import SimpleITK as sitk

MAX_VOXELS = 2**33
GZIP_RATIO = 1100  # deflate makes at most 1032 bytes of one
DIRECTION_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Volumes:
    """The three-dimensional scalar images of one file, all on one grid.

    Attributes:
        images: one image a channel, layer or time point; no metadata.
        layout: how several of them lie in the file, for errors.
        notes: what the file left open, for the manifest.
    """

    images: tuple[sitk.Image, ...]
    layout: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outline:
    """What a file's header says.

    Attributes:
        size: voxels along x, y, z.
        spacing: mm along x, y, z.
        volumes: channels, layers or time points.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    volumes: int


def check_count(sizes: Iterable[int], path: Path) -> None:
    """Refuse a header that claims more voxels than any scan has.

    Raises:
        SourceError: naming the sizes.
    """
    sizes = tuple(sizes)
    if not 0 < math.prod(sizes) <= MAX_VOXELS:
        raise SourceError(
            f"the header claims {times(sizes)} voxels, more than nnplug reads",
            where=str(path),
            hint="the header is probably damaged; export the image again",
        )


def check_geometry(image: sitk.Image, path: Path) -> None:
    """Refuse spacings, origins and directions that place no voxel.

    Raises:
        SourceError: a value is not finite or not positive, or axes are not at right angles.
    """
    if not all(math.isfinite(s) and s > 0 for s in image.GetSpacing()):
        raise SourceError(
            f"the spacing {image.GetSpacing()} mm is not positive",
            where=str(path),
            hint="write the true voxel size into the header; it is never guessed",
        )
    if not all(math.isfinite(v) for v in image.GetOrigin()):
        raise SourceError(
            f"the origin {image.GetOrigin()} is not finite",
            where=str(path),
            hint="export the image again",
        )
    d = image.GetDirection()
    products = (
        abs(sum(d[3 * k + i] * d[3 * k + j] for k in range(3)) - (i == j))
        for i in range(3)
        for j in range(3)
    )
    if not all(p <= DIRECTION_TOLERANCE for p in products):
        raise sheared(path)


def sheared(path: Path) -> SourceError:
    """The error for axes that are not at right angles."""
    return SourceError(
        "the image's axes are not at right angles (direction is not orthonormal)",
        where=str(path),
        hint="resample the image to a grid without shear, e.g. correct the gantry tilt; if only "
        "rounding is to blame, write a clean sform and qform",
    )


def is_length(text: str) -> bool:
    """Whether a header's text is a finite number above 0."""
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


def times(numbers: Iterable[float]) -> str:
    """Write ``(40, 30, 20)`` as ``40 x 30 x 20``."""
    return " x ".join(f"{n:g}" if isinstance(n, float) else str(n) for n in numbers)
