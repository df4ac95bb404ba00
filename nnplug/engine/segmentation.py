"""What a model says about one case: the mask, and the probabilities behind it."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.whole import replacing


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A segmented case on the grid of its images.

    Attributes:
        array: the model's label values, uint8 (z, y, x).
        cropped: probabilities (class, z, y, x) in ``box``; outside all is background.
        box: where nnU-Net cropped the case, as slices z, y, x.
        properties: how nnU-Net preprocessed the case.
        regions: the label value of each class, for models whose classes overlap; such classes
            have no background among them.
    """

    array: NDArray[np.uint8]
    cropped: NDArray[np.floating[Any]]
    box: tuple[slice, slice, slice]
    properties: dict[str, Any]
    regions: tuple[int, ...] | None

    @classmethod
    def of(
        cls,
        cropped: NDArray[np.floating[Any]],
        properties: dict[str, Any],
        regions: tuple[int, ...] | None,
    ) -> Segmentation:
        """The most probable class of each voxel; with ``regions`` the last one above 0.5."""
        array = np.zeros(tuple(properties["original_size_of_raw_data"]), np.uint8)
        starts = [int(side[0]) for side in properties["crop_bbox"]]
        ends = zip(starts, cropped.shape[1:], array.shape, strict=True)
        z, y, x = (slice(start, min(start + size, end)) for start, size, end in ends)
        if regions is None:
            array[z, y, x] = cropped.argmax(0)
        else:
            for number, value in enumerate(regions):
                array[z, y, x][cropped[number] > 0.5] = value
        return cls(array, cropped, (z, y, x), properties, regions)

    def postprocessed(self, rules: Path) -> Segmentation:
        """Without the components that nnU-Net's ``postprocessing.json`` drops, if it is there."""
        if not rules.is_file():
            return self
        from nnunet.postprocessing.connected_components import (
            load_postprocessing,
            remove_all_but_the_largest_connected_component,
        )

        classes, sizes = load_postprocessing(str(rules))
        voxel = float(np.prod(self.properties["itk_spacing"], dtype=np.float64))
        pruned = remove_all_but_the_largest_connected_component(self.array, classes, voxel, sizes)[
            0
        ]
        return replace(self, array=pruned)

    @property
    def mask(self) -> sitk.Image:
        """The label values as an image."""
        return self.image(self.array)

    def image(self, values: NDArray[Any]) -> sitk.Image:
        """Values (z, y, x) on the grid of the case."""
        image = sitk.GetImageFromArray(values)
        image.SetSpacing(self.properties["itk_spacing"])
        image.SetOrigin(self.properties["itk_origin"])
        image.SetDirection(self.properties["itk_direction"])
        return image

    def softmax(self) -> NDArray[np.float32]:
        """The probabilities on the whole grid (class, z, y, x)."""
        whole = np.zeros((len(self.cropped), *self.array.shape), np.float32)
        if self.regions is None:
            whole[0] = 1
        whole[(slice(None), *self.box)] = self.cropped
        return whole

    def entropy(self) -> NDArray[np.float32]:
        """How undecided the model is, from 0 to 1 (z, y, x); 0 where nnU-Net cropped.

        Shannon's entropy -sum(p ln p) of the classes over its maximum, ln(classes). Where
        classes overlap, the mean of each class's -(p ln p + (1-p) ln(1-p)) / ln 2.
        """
        p = np.clip(self.cropped.astype(np.float32), 0, 1)
        if self.regions is None:
            inside = _information(p).sum(0) / np.log(len(p))
        else:
            inside = (_information(p) + _information(1 - p)).mean(0) / np.log(2)
        whole = np.zeros(self.array.shape, np.float32)
        whole[self.box] = np.clip(inside, 0, 1)
        return whole

    def save_softmax(self, stem: Path) -> None:
        """Write ``stem.npz`` and ``stem.pkl`` as nnU-Net does for its ensembling."""
        properties = copy.deepcopy(self.properties)
        if self.regions is not None:
            properties["regions_class_order"] = self.regions
        with (
            replacing(Path(f"{stem}.npz"), ".npz") as arrays,
            replacing(Path(f"{stem}.pkl")) as notes,
        ):
            np.savez_compressed(arrays, softmax=self.cropped.astype(np.float16))
            notes.write_bytes(pickle.dumps(properties))


def _information(p: NDArray[np.float32]) -> NDArray[np.float32]:
    """-p ln p, 0 at 0."""
    return np.asarray(-p * np.log(np.where(p > 0, p, 1)), np.float32)
