"""What one case measures: grid, intensities and labels in a few plain numbers.

The numbers go into ``qc.csv`` and are what cases of a cohort are compared by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.data import orientation
from nnplug.data.sampling import sample

PERCENTILES = (1, 50, 99)


@dataclass(frozen=True)
class Intensities:
    """The values of one channel.

    Attributes:
        p01, p50, p99, mean: of a regular sample of at most 200,000 voxels.
        minimum, maximum: of all voxels.
    """

    p01: float
    p50: float
    p99: float
    mean: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Region:
    """One label value of a case.

    Attributes:
        voxels: how many have it.
        volume_mm3: the same times the volume of a voxel.
        centroid_mm: the mean of the voxels' centres; x, y, z in patient coordinates (LPS, mm).
        place: where the centroid lies in the image's extent, 0 to 1 from right to left, front
            to back and feet to head.
    """

    voxels: int
    volume_mm3: float
    centroid_mm: tuple[float, float, float]
    place: tuple[float, float, float]


@dataclass(frozen=True)
class Measures:
    """One case.

    Attributes:
        size: voxels along x, y, z.
        spacing: mm along x, y, z.
        orientation: DICOM's letters of the axes x, y, z, e.g. ``LPS``; the nearest ones for
            oblique images.
        channels: the images in channel order.
        regions: label value to region, of values above 0.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    orientation: str
    channels: tuple[Intensities, ...]
    regions: dict[int, Region] = field(default_factory=dict)


def measure(images: Sequence[sitk.Image], label: sitk.Image | None) -> Measures:
    """Measure one case; all images and the label (whole numbers) are on one grid."""
    grid = images[0]
    return Measures(
        size=tuple(grid.GetSize()),
        spacing=tuple(grid.GetSpacing()),
        orientation=orientation.code(grid),
        channels=tuple(_intensities(image) for image in images),
        regions=_regions(label) if label is not None else {},
    )


def content(image: sitk.Image) -> str:
    """A hash of the voxels; equal for images that are equal voxel by voxel and in type and size."""
    values = sitk.GetArrayViewFromImage(image)
    digest = blake2b(f"{values.shape} {values.dtype}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _intensities(image: sitk.Image) -> Intensities:
    values = sitk.GetArrayViewFromImage(image)
    some = sample(values)
    low, middle, high = (float(value) for value in np.percentile(some, PERCENTILES))
    return Intensities(
        p01=low,
        p50=middle,
        p99=high,
        mean=float(some.mean(dtype=np.float64)),
        minimum=float(values.min()),
        maximum=float(values.max()),
    )


def _regions(label: sitk.Image) -> dict[int, Region]:
    from scipy import ndimage

    values = sitk.GetArrayViewFromImage(label)
    low, high = _extent(label)
    voxel = float(np.prod(label.GetSpacing()))
    regions = {}
    for value, box in enumerate(ndimage.find_objects(values), start=1):
        if box is None:
            continue
        voxels, centre = _centre(values[box] == value)
        index = [float(c) + part.start for c, part in zip(centre, box, strict=True)]
        centroid = label.TransformContinuousIndexToPhysicalPoint(index[::-1])
        place = (np.asarray(centroid) - low) / (high - low)
        regions[value] = Region(voxels, voxels * voxel, _three(centroid), _three(place))
    return regions


def _centre(mask: NDArray[np.bool_]) -> tuple[int, NDArray[np.float64]]:
    """How many voxels are set, and the mean of their indices (z, y, x)."""
    flat = mask.sum(axis=2, dtype=np.int64)
    along = [flat.sum(axis=1), flat.sum(axis=0), mask.sum(axis=(0, 1), dtype=np.int64)]
    voxels = int(flat.sum())
    sums = [float(np.arange(len(counts)) @ counts) for counts in along]
    return voxels, np.divide(sums, voxels)


def _extent(image: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """The corners of the box along the patient's axes that holds all voxels whole."""
    size = image.GetSize()
    corners = [
        image.TransformContinuousIndexToPhysicalPoint(
            [size[axis] - 0.5 if number >> axis & 1 else -0.5 for axis in range(3)]
        )
        for number in range(8)
    ]
    return np.min(corners, axis=0), np.max(corners, axis=0)


def _three(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def restored(plain: Mapping[str, Any]) -> Measures:
    """The measures of which ``dataclasses.asdict``, by way of JSON, made ``plain``."""
    return Measures(
        size=tuple(plain["size"]),
        spacing=tuple(plain["spacing"]),
        orientation=plain["orientation"],
        channels=tuple(Intensities(**values) for values in plain["channels"]),
        regions={
            int(value): Region(
                region["voxels"],
                region["volume_mm3"],
                _three(region["centroid_mm"]),
                _three(region["place"]),
            )
            for value, region in plain["regions"].items()
        },
    )
