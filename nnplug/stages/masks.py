"""What becomes of a segmentation: post-processed, in the wanted values, axes and format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.catalog import Catalog, Shelf, load
from nnplug.config.load import choice_options
from nnplug.config.settings import Choice, Predict
from nnplug.errors import ConfigError
from nnplug.types import VoxelRemapper, Writer
from nnplug.whole import replacing

if TYPE_CHECKING:
    from nnplug.engine.ensembling import Ensemble
    from nnplug.engine.prediction import PredictCase
    from nnplug.engine.segmentation import Segmentation
    from nnplug.stages.inputs import Input

ENTROPY = "_entropy.nii.gz"


class Masks:
    """Writes the results of cases to the output folder.

    Args:
        settings: of ``predict``.
        source: where the cases come from.
        ensemble: whose label values the segmentations have.
        restore: those values to the ones that are written; None leaves them.

    Raises:
        ConfigError: a step of the post-processing works on values instead of voxels.
        PluginError: a step or format that is not there.
    """

    def __init__(
        self,
        settings: Predict,
        catalog: Catalog,
        source: Input,
        ensemble: Ensemble,
        restore: Mapping[int, int] | None,
    ) -> None:
        self._output = settings.output
        self._uncertainty, self._softmax = settings.uncertainty, settings.softmax
        self._source = source
        self._restore = restore
        self._steps = steps(settings.postprocess, catalog)
        self._suffix = catalog.writers.get(settings.format.name).spec.suffix
        self._writer: Writer = _made(settings.format, catalog.writers, "format")
        declared = settings.data.dataset.labels if settings.data else {}
        self._labels = names(ensemble.plans["all_classes"], declared, restore)

    def done(self, case: PredictCase) -> bool:
        """Whether everything that is wanted of a case is there."""
        suffixes = [self._suffix, *[ENTROPY] * self._uncertainty, *[".npz", ".pkl"] * self._softmax]
        return all((self._output / f"{case.name}{suffix}").is_file() for suffix in suffixes)

    def path(self, case: PredictCase) -> Path:
        """The file of a case's mask."""
        return self._output / f"{case.name}{self._suffix}"

    def write(self, case: PredictCase, segmentation: Segmentation) -> Path:
        """Write a case's mask, and its entropy if that is wanted; each appears whole."""
        array: NDArray[np.integer[Any]] = segmentation.array
        x, y, z = segmentation.properties["itk_spacing"]
        for step in self._steps:
            array = step.apply(array, (z, y, x))
        if self._restore is not None:
            array = revalued(array, self._restore)
        if self._uncertainty:
            entropy = self._source.back(case, segmentation.image(segmentation.entropy()))
            with replacing(self._output / f"{case.name}{ENTROPY}", ENTROPY) as beside:
                sitk.WriteImage(entropy, str(beside))
        mask = self._source.back(case, segmentation.image(array))
        path = self.path(case)
        with replacing(path, self._suffix) as beside:
            self._writer.write(
                mask, self._labels, self._source.source(case), self._source.channel, beside
            )
        return path


def steps(chosen: Sequence[Choice], catalog: Catalog) -> list[VoxelRemapper]:
    """The steps of a post-processing, made."""
    found = []
    for index, choice in enumerate(chosen):
        key = f"postprocess[{index}].{choice.name}"
        step = _made(choice, catalog.remappers, key)
        if not isinstance(step, VoxelRemapper):
            raise ConfigError(
                "this remapper works on label values, not on voxels",
                where=key,
                hint="label values are changed in conversion; see label_values for the way back",
            )
        found.append(step)
    return found


def names(
    classes: Sequence[int], declared: Mapping[str, int], restore: Mapping[int, int] | None
) -> dict[str, int]:
    """Label name to value in the masks, without background.

    Args:
        classes: the model's foreground values.
        declared: label name to value of the dataset, where they are known.
        restore: the dataset's values to those of the masks.
    """
    known = {value: name for name, value in declared.items()}
    table = restore or {}
    return {
        known.get(int(value), f"label {value}"): table.get(int(value), int(value))
        for value in classes
    }


def revalued(
    array: NDArray[np.integer[Any]], values: Mapping[int, int]
) -> NDArray[np.integer[Any]]:
    """Other label values, in the smallest integer type that holds them."""
    new = np.array(list(values.values()))
    kinds = np.min_scalar_type(new.min()), np.min_scalar_type(new.max())
    table = np.zeros(max(values) + 1, np.result_type(*kinds))
    table[list(values)] = new
    found: NDArray[np.integer[Any]] = table[array]
    return found


def _made(choice: Choice, shelf: Shelf[Any], key: str) -> Any:
    options = choice_options(choice, shelf, key)
    entry = shelf.get(choice.name)
    cls = load(entry.spec, entry.owner)
    return cls(options) if options is not None else cls()
