"""Where the voxels of a NIfTI file lie: qform, sform, or the voxel size alone.

The three methods of nifti1.h, with its quaternion formulas. Affines map voxel indices i, j, k
to mm in NIfTI's axes (right, anterior, superior); images carry left, posterior, superior.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug.formats._nifti_header import Header
from nnplug.formats._volumes import DIRECTION_TOLERANCE

Form = Literal["auto", "sform", "qform"]
Affine = NDArray[np.float64]
Rows = tuple[tuple[float, ...], ...]
_FAR = 1e6  # mm
_TOLERANCE = 0.1  # of a voxel, at the farthest corner


def place(header: Header, form: Form) -> tuple[Affine, dict[str, str]]:
    """Choose the affine (4 x 4) of a file.

    Args:
        header: the file's.
        form: ``auto`` takes what is coded, and both only if they agree within a tenth of a
            voxel at every corner; otherwise the one to take.

    Returns:
        The affine, and notes for the manifest.

    Raises:
        SourceError: the forms disagree, or the one that was asked for is not coded.
    """
    notes = {}
    if header.unit != 1:
        notes["unit"] = f"lengths in the file are times {header.unit:g} mm"
    if header.rows is None and header.quaternion is None:
        notes["orientation"] = "not in the file; axes taken as left, posterior, superior"
        return np.diag([-header.spacing[0], -header.spacing[1], header.spacing[2], 1.0]), notes
    coded: dict[str, Affine] = {}
    if header.rows is not None and form != "qform":
        coded["sform"] = _placing(_sform(header, header.rows), "sform", header)
    if header.quaternion is not None and form != "sform":
        coded["qform"] = _placing(_qform(header, header.quaternion), "qform", header)
    if not coded:
        raise SourceError(
            f"the file has no {form}", where=str(header.path), hint="leave out converter.form"
        )
    if form == "auto":
        _check_agreement(header, coded)
    return next(iter(coded.values())), notes


def geometry(affine: Affine, spacing: tuple[float, ...]) -> dict[str, Any]:
    """Return spacing, origin (LPS, mm) and direction (row by row) of an affine.

    Where lengths of its columns equal the header's ``spacing`` but for rounding, that is kept.
    """
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    lengths = np.linalg.norm(lps[:3, :3], axis=0)
    lengths = np.where(np.isclose(lengths, spacing, rtol=1e-6, atol=0), spacing, lengths)
    direction = np.divide(lps[:3, :3], lengths, out=np.eye(3), where=lengths > 0) + 0.0
    return {
        "spacing": lengths.tolist(),
        "origin": (lps[:3, 3] + 0.0).tolist(),
        "direction": direction.ravel().tolist(),
    }


def _placing(affine: Affine, name: str, header: Header) -> Affine:
    """Refuse numbers that no scanner gives: not finite, or kilometres."""
    if not np.abs(affine).max() < _FAR:
        raise SourceError(
            f"the {name} in the header places no voxel: {affine[:3].tolist()}",
            where=str(header.path),
            hint="the header is damaged; export the image again",
        )
    return affine


def _sform(header: Header, rows: Rows) -> Affine:
    affine = np.array([*rows, (0, 0, 0, 1)], float)
    if header.sizes[2] == 1 and not affine[:3, 2].any():
        normal = np.cross(affine[:3, 0], affine[:3, 1])
        affine[:3, 2] = normal / (np.linalg.norm(normal) or 1) * header.spacing[2]
    return affine


def _qform(header: Header, quaternion: tuple[float, ...]) -> Affine:
    imaginary, offset = np.split(np.array(quaternion, float), 2)
    rest = 1.0 - float(imaginary @ imaginary)
    if not rest > -1e-3:
        raise SourceError(
            f"the qform in the header is no rotation: quaternion {imaginary.tolist()}",
            where=str(header.path),
            hint="the header is damaged; export the image again",
        )
    if rest < 1e-7:  # as nifti1_io.c does: a rotation by 180 degrees
        imaginary, rest = imaginary / np.linalg.norm(imaginary), 0.0
    a, (b, c, d) = np.sqrt(rest), imaginary
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * (*header.spacing[:2], header.qfac * header.spacing[2])
    affine[:3, 3] = offset
    return affine


def _check_agreement(header: Header, coded: dict[str, Affine]) -> None:
    """Compare the forms with each other, or an sform alone with the voxel size in pixdim."""
    allowed = _TOLERANCE * min(header.spacing)
    hint = (
        "find out which is right and write it into both, or choose with converter.form=sform or "
        "converter.form=qform"
    )
    if len(coded) == 2:
        sform, qform = coded.values()
        gap = _gap(sform, qform, header)
        if not gap <= allowed:
            raise SourceError(
                f"qform and sform put the voxels up to {gap:.4g} mm apart "
                f"(turned by {_angle(sform, qform):.3g} degrees, voxel sizes {_lengths(qform)} "
                f"and {_lengths(sform)} mm)",
                where=str(header.path),
                hint=hint,
            )
    elif "sform" in coded and not _sheared(coded["sform"]):
        columns = np.linalg.norm(coded["sform"][:3, :3], axis=0)
        if not np.abs((columns - header.spacing) * header.sizes[:3]).max() <= allowed:
            raise SourceError(
                f"the voxel size is {_lengths(coded['sform'])} mm by the sform but "
                f"{_lengths(np.diag(header.spacing))} mm by pixdim",
                where=str(header.path),
                hint="find out which is right and write it into both, or take the sform with "
                "converter.form=sform",
            )


def _gap(one: Affine, other: Affine, header: Header) -> float:
    corners = np.array([(*c, 1) for c in product(*((0, n - 1) for n in header.sizes[:3]))]).T
    return float(np.linalg.norm(((one - other) @ corners)[:3], axis=0).max())


def _cosines(one: Affine, other: Affine) -> NDArray[np.float64]:
    """The cosines between each axis of one grid and each of another."""
    axes = [a[:3, :3] / (np.linalg.norm(a[:3, :3], axis=0) + 1e-30) for a in (one, other)]
    cosines: NDArray[np.float64] = np.clip(axes[0].T @ axes[1], -1, 1)
    return cosines


def _angle(one: Affine, other: Affine) -> float:
    """The largest angle between two axes of the same name, in degrees."""
    return float(np.degrees(np.arccos(np.diag(_cosines(one, other)))).max())


def _sheared(affine: Affine) -> bool:
    return bool(np.abs(_cosines(affine, affine) - np.eye(3)).max() > DIRECTION_TOLERANCE)


def _lengths(affine: Affine) -> str:
    return "(" + ", ".join(f"{n:.4g}" for n in np.linalg.norm(affine[:3, :3], axis=0)) + ")"
