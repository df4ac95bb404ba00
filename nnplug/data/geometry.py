"""When two images lie on the same grid.

Tolerances: spacing and origin 1e-3 mm, direction cosines 1e-4. They are wide enough for what
the float32 header of a NIfTI file loses, and far below a voxel.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

SPACING_MM = 1e-3
ORIGIN_MM = 1e-3
DIRECTION = 1e-4


def differences(image: sitk.Image, other: sitk.Image) -> list[str]:
    """What differs between two grids beyond the tolerances, in words; empty if nothing does.

    Sizes and coordinates are in SimpleITK's order x, y, z; lengths in mm.
    """
    found = []
    if image.GetSize() != other.GetSize():
        found.append(f"size {image.GetSize()} against {other.GetSize()} voxels (x, y, z)")
    if _apart(image.GetSpacing(), other.GetSpacing()) > SPACING_MM:
        found.append(f"spacing {_mm(image.GetSpacing())} against {_mm(other.GetSpacing())} mm")
    if _apart(image.GetOrigin(), other.GetOrigin()) > ORIGIN_MM:
        found.append(f"origin {_mm(image.GetOrigin())} against {_mm(other.GetOrigin())} mm")
    gap = _apart(image.GetDirection(), other.GetDirection())
    if gap > DIRECTION:
        found.append(f"direction (cosines up to {gap:.4g} apart)")
    return found


def same_header(image: sitk.Image, other: sitk.Image) -> bool:
    """Whether spacing, origin and direction are equal to the last bit."""
    return bool(
        image.GetSpacing() == other.GetSpacing()
        and image.GetOrigin() == other.GetOrigin()
        and image.GetDirection() == other.GetDirection()
    )


def _apart(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    if len(one) != len(other):
        return float("inf")
    return float(np.max(np.abs(np.subtract(one, other))))


def _mm(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"
