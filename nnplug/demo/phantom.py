"""A synthetic chest CT with five lung lobes, different in every case.

The lobes overlap in intensity, so that a voxel's value does not tell its lobe; where it lies in
the lung does, and the faint bright fissures show where one lobe ends. Heart and spine are
distractors. Coordinates are DICOM's LPS in mm: x to the patient's left, y to the back, z to the
head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LABELS = {
    1: "left_upper_lobe",
    2: "left_lower_lobe",
    3: "right_upper_lobe",
    4: "right_middle_lobe",
    5: "right_lower_lobe",
}

AIR_HU = -1000.0
SOFT_TISSUE_HU = 40.0
HEART_HU = 55.0
BONE_HU = 350.0
LUNG_HU = -850.0
_LOBES_HU = np.array([0.0, -8.0, 14.0, 0.0, -14.0, 10.0])
_FISSURE_HU = 110.0

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Phantom:
    """One synthetic case.

    Attributes:
        hu: CT values in HU, z, y, x; int16.
        labels: 0 for background, 1 to 5 as in :data:`LABELS`; z, y, x; uint8.
        spacing: mm along x, y, z.
        origin: centre of the first voxel in mm (LPS).
        direction: 3x3; the columns are the directions of x, y, z.
    """

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: Floats


def make_phantom(seed: int, case: int) -> Phantom:
    """Make one case; the same for the same seed and case, whatever other cases are made.

    The volume has 56 to 64 by 48 to 56 by 40 to 48 voxels (x, y, z) of about 5.5 x 5.5 x 7 mm,
    on a grid that is turned by 2 to 8 degrees about a random axis.
    """
    rng = np.random.default_rng([seed, case])
    size = np.array([rng.integers(56, 65), rng.integers(48, 57), rng.integers(40, 49)])
    in_plane = round(float(rng.uniform(5.2, 5.8)), 3)
    spacing = (in_plane, in_plane, round(float(rng.uniform(6.5, 7.5)), 3))
    direction = _rotation(rng.normal(size=3), np.radians(rng.uniform(2.0, 8.0)))
    centre = rng.uniform(-8.0, 8.0, 3) + np.array([0.0, -160.0, -420.0])
    origin = centre - direction @ ((size - 1) / 2 * spacing)
    hu, labels = _anatomy(rng, _points(size, np.array(spacing), direction))
    return Phantom(
        hu=hu,
        labels=labels,
        spacing=spacing,
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
        direction=direction,
    )


def _rotation(axis: Floats, angle: float) -> Floats:
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turned: Floats = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turned


def _points(size: NDArray[np.int64], spacing: Floats, direction: Floats) -> tuple[Floats, ...]:
    along = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(size, spacing, strict=True)]
    x, y, z = along[0], along[1][:, None], along[2][:, None, None]
    return tuple(row[0] * x + row[1] * y + row[2] * z for row in direction)


def _anatomy(
    rng: np.random.Generator, points: tuple[Floats, ...]
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    shift, scale = rng.uniform(-8.0, 8.0, 3), rng.uniform(0.9, 1.06)
    x, y, z = ((p - s) / scale for p, s in zip(points, shift, strict=True))
    body = _ellipsoid(rng, (x, y, z), (0, 0, 0), (148, 108, 400)) < 1
    heart = _ellipsoid(rng, (x, y, z), (22, -32, -52), (50, 44, 54)) < 1
    spine = (x / rng.uniform(16, 20)) ** 2 + ((y - 74) / rng.uniform(18, 22)) ** 2 < 1
    dome = rng.uniform(-78, -62) - ((y + 10) / 60) ** 2 * rng.uniform(10, 16)
    labels = np.zeros(body.shape, np.uint8)
    fissures = np.zeros(body.shape)
    for side, upper in ((1, 1), (-1, 3)):
        lung = _ellipsoid(rng, (x, y, z), (side * 72, 0, -8), (54, 80, 118)) < 1
        lung &= z > dome - ((x - side * 72) / 50) ** 2 * 18 + rng.uniform(-5, 5)
        lung &= body & ~heart & ~spine
        tilt = np.radians(rng.uniform(44, 58))
        oblique = np.cos(tilt) * z - np.sin(tilt) * y + rng.uniform(-0.12, 0.12) * x
        oblique = oblique - rng.uniform(-26, -2)
        above = oblique > 0
        labels[lung & above] = upper
        labels[lung & ~above] = 2 if side == 1 else 5
        fissures += np.exp(-((oblique / 3.0) ** 2)) * lung
        if side == -1:
            horizontal = z - rng.uniform(4, 28) + rng.uniform(-0.12, 0.12) * y
            labels[lung & above & (horizontal < 0)] = 4
            fissures += np.exp(-((horizontal / 3.0) ** 2)) * (lung & above)
    hu = np.where(body, SOFT_TISSUE_HU, AIR_HU)
    hu[heart & body] = HEART_HU
    hu[spine & body] = BONE_HU
    lobes = LUNG_HU + rng.uniform(-20, 20) + _LOBES_HU + rng.normal(0, 5, len(_LOBES_HU))
    inside = labels > 0
    hu[inside] = lobes[labels[inside]] + 0.12 * y[inside] + _FISSURE_HU * fissures[inside]
    hu += rng.normal(0, rng.uniform(15, 25), hu.shape)
    return np.clip(np.round(hu), -1024, 3071).astype(np.int16), labels


def _ellipsoid(
    rng: np.random.Generator,
    points: tuple[Floats, ...],
    centre: tuple[float, float, float],
    axes: tuple[float, float, float],
) -> Floats:
    moved = np.array(centre) + rng.uniform(-4, 4, 3)
    scaled = np.array(axes) * rng.uniform(0.94, 1.06, 3)
    total: Floats = sum(
        ((p - m) / a) ** 2 for p, m, a in zip(points, moved, scaled, strict=True)
    ) + np.zeros(1)
    return total
