"""The header of a NIfTI-1 file (nifti1.h, https://nifti.nimh.nih.gov/nifti-1)."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

from nnplug.errors import SourceError
from nnplug.formats._volumes import check_count, times

HEADER_BYTES = 348
_KINDS = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
_REFUSED = {
    1: ("the voxels are single bits", "write them as bytes"),
    32: ("the voxels are complex numbers", "write the magnitude image"),
    128: ("every voxel has 3 values (RGB), not one", "write one grey image a colour"),
    1536: ("voxels of 128-bit floats can't be read", "write them as 32-bit floats"),
    1792: ("the voxels are complex numbers", "write the magnitude image"),
    2048: ("the voxels are complex numbers", "write the magnitude image"),
    2304: ("every voxel has 4 values (RGBA), not one", "write one grey image a colour"),
}
_UNITS = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_DAMAGED = "the header is damaged; export the image again"


@dataclass(frozen=True)
class Header:
    """The fields that place and scale voxels; lengths are in mm, whatever the file's unit.

    Attributes:
        path: the file.
        sizes: voxels along x, y, z and further axes; at least three.
        axes: how many axes the file names.
        kind: numpy's type of a stored voxel, byte order included.
        offset: the byte in the voxels' file where they begin.
        slope, intercept: stored values become ``slope * value + intercept``.
        spacing: voxel size along x, y, z (pixdim).
        qfac: -1 or 1, the handedness of the qform.
        quaternion: b, c, d and the offset x, y, z of the qform; None where it is not coded.
        rows: the three rows of the sform; None where it is not coded.
        unit: how many mm the file's unit of length is.
        single: header and voxels are one file.
    """

    path: Path
    sizes: tuple[int, ...]
    axes: int
    kind: str
    offset: int
    slope: float
    intercept: float
    spacing: tuple[float, ...]
    qfac: float
    quaternion: tuple[float, ...] | None
    rows: tuple[tuple[float, ...], ...] | None
    unit: float
    single: bool

    @property
    def volumes(self) -> int:
        """How many three-dimensional images the file holds."""
        return math.prod(self.sizes[3:])

    @property
    def voxel_bytes(self) -> int:
        """The length of the stored voxels."""
        return math.prod(self.sizes) * int(self.kind[-1])


def parse(head: bytes, path: Path) -> Header:
    """Read the first 348 bytes of a ``.nii`` or ``.hdr`` file.

    Raises:
        SourceError: it is not NIfTI-1, contradicts itself, claims too many voxels, has no
            voxel size, or its voxels are not single real numbers.
    """
    order = _byte_order(head, path)
    magic = head[344:348]
    if magic != (b"ni1\0" if path.name.lower().endswith(".hdr") else b"n+1\0"):
        raise _no_nifti(path)
    dim = struct.unpack_from(f"{order}8h", head, 40)
    code, _ = struct.unpack_from(f"{order}2h", head, 70)
    pixdim = struct.unpack_from(f"{order}8f", head, 76)
    offset, slope, intercept = struct.unpack_from(f"{order}3f", head, 108)
    qform, sform = struct.unpack_from(f"{order}2h", head, 252)
    quaternion = struct.unpack_from(f"{order}6f", head, 256)
    rows = struct.unpack_from(f"{order}12f", head, 280)
    count = dim[0]
    single = magic == b"n+1\0"
    if not 1 <= count <= 7 or min(dim[1 : count + 1]) < 1:
        raise _no_nifti(path)
    if not math.isfinite(offset) or not (HEADER_BYTES if single else 0) <= offset < 2**31:
        raise _no_nifti(path)
    sizes = (*dim[1 : count + 1], *[1] * (3 - count))
    _check_kind(code, path)
    check_count(sizes, path)
    if count < 2:
        raise SourceError(
            f"the image has 1 dimensions ({dim[1]}), not 3",
            where=str(path),
            hint="write it as a three-dimensional image",
        )
    unit = _unit(head[123], path)
    return Header(
        path=path,
        sizes=sizes,
        axes=count,
        kind=order + _KINDS[code],
        offset=int(offset),
        **_scaling(slope, intercept, path),
        spacing=_spacing(pixdim, sizes, count, unit, path),
        qfac=-1.0 if pixdim[0] < 0 else 1.0,
        quaternion=(*quaternion[:3], *(unit * x for x in quaternion[3:])) if qform > 0 else None,
        rows=tuple(tuple(unit * x for x in rows[r : r + 4]) for r in (0, 4, 8))
        if sform > 0
        else None,
        unit=unit,
        single=single,
    )


def _byte_order(head: bytes, path: Path) -> str:
    if len(head) >= HEADER_BYTES:
        for order in "<", ">":
            (length,) = struct.unpack_from(f"{order}i", head)
            if length == 540:
                raise SourceError(
                    "this is a NIfTI-2 file", where=str(path), hint="write the image as NIfTI-1"
                )
            if length == HEADER_BYTES:
                return order
    raise _no_nifti(path)


def _check_kind(code: int, path: Path) -> None:
    if code not in _KINDS:
        problem, hint = _REFUSED.get(code, (f"there is no voxel type {code}", _DAMAGED))
        raise SourceError(problem, where=str(path), hint=hint)


def _scaling(slope: float, intercept: float, path: Path) -> dict[str, float]:
    if slope == 0 or math.isnan(slope):
        return {"slope": 1.0, "intercept": 0.0}
    if not math.isfinite(slope) or not math.isfinite(intercept):
        raise SourceError(
            f"values are scaled by {slope:g} and {intercept:g} (scl_slope, scl_inter)",
            where=str(path),
            hint=_DAMAGED,
        )
    return {"slope": slope, "intercept": intercept}


def _unit(xyzt_units: int, path: Path) -> float:
    unit = _UNITS.get(xyzt_units & 7)
    if unit is None:
        raise SourceError(
            f"there is no unit of length {xyzt_units & 7} (xyzt_units)",
            where=str(path),
            hint="write 2, for mm",
        )
    return unit


def _spacing(
    pixdim: tuple[float, ...], sizes: tuple[int, ...], count: int, unit: float, path: Path
) -> tuple[float, ...]:
    used = pixdim[1:4] if sizes[2] > 1 else pixdim[1:3]
    if not all(math.isfinite(s) and s > 0 for s in used):
        raise SourceError(
            f"the voxel size in the header is {times(used)} mm",
            where=str(path),
            hint="write the true voxel size into pixdim; it is never guessed",
        )
    if sizes[2] > 1 or (count > 2 and math.isfinite(pixdim[3]) and pixdim[3] > 0):
        return tuple(unit * s for s in pixdim[1:4])
    return (*(unit * s for s in used), 1.0)


def _no_nifti(path: Path) -> SourceError:
    return SourceError(
        "this is not a NIfTI file, or a damaged one",
        where=str(path),
        hint="check the format; Analyze files have to be written as .nii.gz",
    )
