"""Reading NIfTI-1 files: header, voxels and grid, and nothing in silence.

SimpleITK's reader settles disagreeing forms by itself, puts zeros in place of NaN and takes a
file that is too short; hence a reader of nnplug's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug.formats._nifti_grid import Form, geometry, place
from nnplug.formats._nifti_header import HEADER_BYTES, Header, parse
from nnplug.formats._volumes import GZIP_RATIO, Outline, Volumes, check_geometry, sheared, times

_CHUNK = 1 << 22
_SLACK = 1 << 20


def read(path: Path, form: Form) -> Volumes:
    """Read every volume of a ``.nii``, ``.nii.gz`` or ``.hdr`` file.

    Raises:
        SourceError: see :func:`nnplug.formats.itk.read_channels`.
    """
    header = read_header(path)
    affine, notes = place(header, form)
    grid = geometry(affine, header.spacing)
    voxels = _scaled(_stored(header), header)
    images = []
    for values in voxels.reshape(header.volumes, *header.sizes[2::-1]):
        image = sitk.GetImageFromArray(values)
        try:
            image.SetSpacing(grid["spacing"])
            image.SetOrigin(grid["origin"])
            image.SetDirection(grid["direction"])
        except RuntimeError as error:
            raise sheared(path) from error
        check_geometry(image, path)
        images.append(image)
    layout = f"the image has {header.axes} dimensions ({times(header.sizes)}), not 3"
    return Volumes(tuple(images), layout, notes)


def outline(path: Path) -> Outline:
    """Read size and spacing from the header alone."""
    header = read_header(path)
    return Outline(header.sizes[:3], header.spacing, header.volumes)


def read_header(path: Path) -> Header:
    """Read the header.

    Raises:
        SourceError: see :func:`nnplug.formats._nifti_header.parse`.
    """
    with _opened(path) as file:
        return parse(file.read(HEADER_BYTES), path)


def voxel_file(path: Path) -> Path:
    """Return the file that holds the voxels: for ``.hdr`` the ``.img`` or ``.img.gz`` beside it.

    Raises:
        SourceError: there is none.
    """
    if not path.name.lower().endswith(".hdr"):
        return path
    for ending in (".img", ".img.gz", ".IMG"):
        if (found := path.with_name(path.stem + ending)).is_file():
            return found
    raise SourceError(
        f"the file {path.stem}.img that holds the voxels is missing",
        where=str(path),
        hint="copy it beside the .hdr file, or write the image as .nii.gz",
    )


def _stored(header: Header) -> NDArray[Any]:
    """The voxels as they are stored, in native byte order, one-dimensional."""
    path, offset, needed = voxel_file(header.path), header.offset, header.voxel_bytes
    size = path.stat().st_size
    zipped = _is_zipped(path)
    if size * (GZIP_RATIO if zipped else 1) < offset + needed:
        raise _short(header, path, f"at most {size * GZIP_RATIO}" if zipped else str(size))
    values = np.empty(needed // int(header.kind[-1]), header.kind)
    with _opened(path) as file:
        length = len(file.read(offset))
        view = values.view(np.uint8)
        while got := file.readinto(view[:_CHUNK]):  # type: ignore[attr-defined]
            view = view[got:]
            length += got
        if len(view):
            raise _short(header, path, str(length))
        if zipped and len(file.read(_SLACK + 1)) > _SLACK:
            raise SourceError(
                f"the file unpacks to more than the {offset + needed} bytes of its header",
                where=str(path),
                hint="export the file again; the header does not describe this image",
            )
    if not values.dtype.isnative:
        values = values.byteswap(inplace=True).view(values.dtype.newbyteorder())
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise SourceError(
            "the image holds values that are not finite (NaN or infinity)",
            where=str(path),
            hint="replace them by what is meant, e.g. the value of air",
        )
    return values


def _scaled(values: NDArray[Any], header: Header) -> NDArray[Any]:
    """Apply slope and intercept; integers stay integers where both are whole numbers."""
    slope, intercept = header.slope, header.intercept
    if (slope, intercept) == (1, 0):
        return values
    whole = values.dtype.kind in "iu" and slope.is_integer() and intercept.is_integer()
    kind = _integer_kind(values.dtype, int(slope), int(intercept)) if whole else None
    if kind is None:
        narrow = values.dtype == np.float32 or values.dtype.itemsize <= 2
        kind = np.dtype(np.float32 if narrow else np.float64)
    result: NDArray[Any] = values.astype(kind) * kind.type(slope) + kind.type(intercept)
    return result


def _integer_kind(stored: np.dtype[Any], slope: int, intercept: int) -> np.dtype[Any] | None:
    """The smallest signed type that holds whatever the stored type can become."""
    limits = np.iinfo(stored)
    ends = [slope * int(end) + intercept for end in (limits.min, limits.max)]
    for kind in (np.int16, np.int32, np.int64):
        if np.iinfo(kind).min <= min(ends) and max(ends) <= np.iinfo(kind).max:
            return np.dtype(kind)
    return None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked if they are gzip's, whose damage becomes a SourceError."""
    from isal import igzip, isal_zlib

    if not _is_zipped(path):
        with path.open("rb") as file:
            yield file
        return
    failures: tuple[Any, ...] = (EOFError, igzip.BadGzipFile, isal_zlib.error)
    try:
        with igzip.open(path, "rb") as file:
            yield file
    except failures as error:
        raise SourceError(
            f"the compressed file is cut short or damaged ({error})",
            where=str(path),
            hint="copy or export the file again",
        ) from error


def _is_zipped(path: Path) -> bool:
    with path.open("rb") as file:
        return path.name.lower().endswith(".gz") and file.read(2) == b"\x1f\x8b"


def _short(header: Header, path: Path, held: str) -> SourceError:
    return SourceError(
        f"the file is cut short: its header ({times(header.sizes)} voxels) needs "
        f"{header.offset + header.voxel_bytes} bytes, it holds {held}",
        where=str(path),
        hint="copy or export the file again",
    )
