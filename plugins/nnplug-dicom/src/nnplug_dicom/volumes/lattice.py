"""The voxels of an image, or of slices that are no regular image, in the patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lattice:
    """Voxel centres in patient coordinates (LPS, mm), slice by slice.

    Attributes:
        shape: voxels along z, y, x.
        positions: (slices, 3), the centre of each slice's first voxel.
        steps: 3x3; its columns are the ways from a voxel to the next along x, y and z. That
            along z is across the slices, and of their mean distance where they are not regular.
        regular: the slices follow one another at ``steps`` exactly.
    """

    shape: tuple[int, int, int]
    positions: Array
    steps: Array
    regular: bool

    @classmethod
    def of(cls, image: sitk.Image) -> Lattice:
        """The voxels of an image."""
        x, y, z = image.GetSize()
        steps = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
        positions = np.array(image.GetOrigin()) + np.arange(z)[:, None] * steps[:, 2]
        return cls((z, y, x), positions, steps, regular=True)

    @classmethod
    def of_slices(
        cls,
        positions: Array,
        axes: Array,
        spacing: Sequence[float],
        size: Sequence[int],
    ) -> Lattice:
        """The pixels of parallel slices that may be uneven or shifted (gantry tilt).

        Args:
            positions: (slices, 3), sorted along the normal.
            axes: 3x3, its columns the unit vectors along x, y and the normal.
            spacing: mm along x, y.
            size: voxels along x, y, z.
        """
        along = positions @ axes[:, 2]
        mean = (along[-1] - along[0]) / max(len(along) - 1, 1)
        steps = axes * np.array([*spacing, mean])
        return cls((size[2], size[1], size[0]), positions, steps, regular=False)

    def indices(self, points: Array) -> Array:
        """Continuous voxel indices x, y, z of points (n, 3) in mm.

        Between uneven slices z is in proportion; x and y are those in the nearest slice.
        """
        if self.regular:
            return np.asarray(np.linalg.solve(self.steps, (points - self.positions[0]).T).T)
        normal = self.steps[:, 2] / np.linalg.norm(self.steps[:, 2])
        along, heights = self.positions @ normal, points @ normal
        below = np.clip(np.searchsorted(along, heights) - 1, 0, len(along) - 2)
        z = below + (heights - along[below]) / np.diff(along)[below]
        nearest = np.clip(np.rint(z), 0, len(along) - 1).astype(int)
        found = np.linalg.solve(self.steps, (points - self.positions[nearest]).T).T
        return np.column_stack([found[:, :2], z])
