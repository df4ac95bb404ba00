"""Surfaces of two masks as elements with an area each, and how far they are apart.

Surface elements as Nikolov et al. define them (2018, arXiv:1809.04430, section "Performance
metrics"): every cell of 2 x 2 x 2 neighbouring voxel centres that has some of them inside the
mask and some outside is one element. It lies in the cell's middle, and its area is that of the
marching-cubes triangles (Lorensen and Cline 1987) in the cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

CORNERS = tuple(product((0, 1), repeat=3))
# Headers hold spacings as 32-bit floats, so a distance can miss a tolerance by rounding.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Surface:
    """One mask's surface, seen from the other's.

    Attributes:
        areas: of the elements, in mm2.
        distances: of each element to the other surface's nearest element, in mm.
    """

    areas: NDArray[np.float64]
    distances: NDArray[np.float64]


def surfaces(
    one: NDArray[np.bool_], other: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> tuple[Surface, Surface]:
    """The surfaces of two masks (z, y, x) that are not empty; ``spacing`` is z, y, x in mm.

    Outside the arrays there is no mask, so that a mask at the border has a surface there.
    """
    from scipy.ndimage import distance_transform_edt

    areas = [_areas(spacing)[_cells(mask)] for mask in (one, other)]
    away = [distance_transform_edt(area == 0, sampling=spacing) for area in areas]
    first, second = (area > 0 for area in areas)
    return (
        Surface(areas[0][first], away[1][first]),
        Surface(areas[1][second], away[0][second]),
    )


def surface_dice(pair: tuple[Surface, Surface], tolerance: float) -> float:
    """Normalised surface Dice: the part of both surfaces within ``tolerance`` mm of the other."""
    limit = tolerance * (1 + ROUNDING)
    near = sum(float(one.areas[one.distances <= limit].sum()) for one in pair)
    return near / sum(float(one.areas.sum()) for one in pair)


def average_distance(pair: tuple[Surface, Surface]) -> float:
    """Average symmetric surface distance in mm: over both surfaces, weighted by area."""
    apart = sum(float(one.areas @ one.distances) for one in pair)
    return apart / sum(float(one.areas.sum()) for one in pair)


def _cells(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Which of its 8 voxels are in the mask, as bits, for every cell."""
    padded = np.pad(mask, 1)
    codes = np.zeros([size - 1 for size in padded.shape], np.uint8)
    for bit, corner in enumerate(CORNERS):
        part = tuple(slice(at, at + size) for at, size in zip(corner, codes.shape, strict=True))
        codes |= padded[part].astype(np.uint8) << np.uint8(bit)
    return codes


@lru_cache(maxsize=16)
def _areas(spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """The area of the triangles in a cell, by its code."""
    from skimage.measure import marching_cubes, mesh_surface_area

    areas = np.zeros(256)
    for code in range(1, 255):
        cell = np.array([code >> bit & 1 for bit in range(8)], float).reshape(2, 2, 2)
        vertices, faces, _, _ = marching_cubes(cell, 0.5, spacing=spacing)
        areas[code] = mesh_surface_area(vertices, faces)
    return areas
