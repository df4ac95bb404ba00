"""Ensembles of models: who belongs to one, and the mean of what they say, as stock does it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nnplug.config.folders import Folders
from nnplug.engine.safe import read_pickle
from nnplug.errors import DataError
from nnplug.whole import replacing

if TYPE_CHECKING:
    from nnplug.engine.models import Model

BEST = "best.json"


@dataclass(frozen=True)
class Member:
    """A model of an ensemble.

    Attributes:
        folder: of the model.
        folds: whose weights are averaged.
    """

    folder: Path
    folds: tuple[int, ...]


@dataclass(frozen=True)
class Best:
    """What to predict with: the mean of the members, then the post-processing.

    Attributes:
        members: one, or two whose probabilities are averaged.
        postprocessing: nnU-Net's ``postprocessing.json``.
    """

    members: tuple[Member, ...]
    postprocessing: Path


def best_file(folders: Folders, task: str) -> Path:
    """Where ``nnplug best`` writes down what is best for a task."""
    return folders.models / "ensembles" / task / BEST


def best_files(folders: Folders) -> list[Path]:
    """Every such file."""
    return sorted((folders.models / "ensembles").glob(f"*/{BEST}"))


def read_best(path: Path) -> Best:
    """Read a ``best.json``; the paths in it are relative to its folder.

    Raises:
        DataError: there is none, it is damaged, or what it names is gone.
    """
    hint = "run nnplug best with the same dataset"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = Best(
            tuple(
                Member((path.parent / one["model"]).resolve(), tuple(map(int, one["folds"])))
                for one in content["members"]
            ),
            (path.parent / content["postprocessing"]).resolve(),
        )
    except FileNotFoundError:
        raise DataError("there is no such file", where=str(path), hint=hint) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"can't be used: {error}", where=str(path), hint=hint) from error
    for place in (*(member.folder for member in found.members), found.postprocessing):
        if not place.exists():
            raise DataError(f"{place} is gone", where=str(path), hint=hint)
    return found


@dataclass(frozen=True)
class Ensemble:
    """Loaded models that predict together; one of them alone is an ensemble too.

    Attributes:
        models: one, or several whose probabilities are averaged.
        postprocessing: nnU-Net's ``postprocessing.json``; nothing is done if it is not there.

    Raises:
        DataError: the models take different channels, or have different classes.
    """

    models: tuple[Model, ...]
    postprocessing: Path

    def __post_init__(self) -> None:
        kinds = {(one.channels, one.classes, one.regions) for one in self.models}
        if len(kinds) > 1:
            raise DataError(
                "the models take different channels or have different classes",
                where=", ".join(str(one.folder) for one in self.models),
            )

    @classmethod
    def of(cls, model: Model | Ensemble) -> Ensemble:
        """A model alone, with its own post-processing."""
        return model if isinstance(model, Ensemble) else cls((model,), model.postprocessing)

    @property
    def channels(self) -> int:
        """How many images a case has."""
        return self.models[0].channels

    @property
    def plans(self) -> dict[str, Any]:
        """Of the first model."""
        found: dict[str, Any] = self.models[0].trainer.plans
        return found


def average(stems: Sequence[Path]) -> tuple[NDArray[np.floating[Any]], dict[str, Any]]:
    """The mean of the probabilities that models wrote for one case.

    Args:
        stems: a path a model; ``STEM.npz`` has the probabilities, ``STEM.pkl`` the geometry.

    Returns:
        Probabilities (class, z, y, x) as nnU-Net cropped the case, and its properties.

    Raises:
        DataError: a file is missing or damaged, or the models differ in grid or classes.
    """
    parts = [_probabilities(stem) for stem in stems]
    properties = [read_pickle(f"{stem}.pkl") for stem in stems]
    regions = {str(each.get("regions_class_order")) for each in properties}
    try:
        if len(regions) > 1:
            raise DataError("the models differ in grid or classes")
        return mean(parts), properties[0]
    except DataError as error:
        raise DataError(error.problem, where=", ".join(map(str, stems))) from None


def mean(parts: Sequence[NDArray[np.floating[Any]]]) -> NDArray[np.floating[Any]]:
    """The mean of models' probabilities (class, z, y, x), as ``nnUNet_ensemble`` computes it.

    Raises:
        DataError: the models differ in grid or classes.
    """
    if len({part.shape for part in parts}) > 1:
        raise DataError("the models differ in grid or classes")
    found: NDArray[np.floating[Any]] = np.mean(np.stack(parts), 0)
    return found


def ensemble(stems: Sequence[Path], mask: Path, postprocessing: Path | None = None) -> None:
    """Write the mask that ``nnUNet_ensemble`` writes: mean, most probable class, components.

    Args:
        stems: as for :func:`average`.
        mask: ``NAME.nii.gz``; appears whole.
        postprocessing: nnU-Net's ``postprocessing.json``; None leaves the mask as it is.

    Raises:
        DataError: as :func:`average`.
    """
    from nnunet.inference.segmentation_export import save_segmentation_nifti_from_softmax
    from nnunet.postprocessing.connected_components import load_postprocessing, load_remove_save

    softmax, properties = average(stems)
    with replacing(mask, ".nii.gz") as beside:
        # The probabilities are on the case's grid, so the order of interpolation has no effect.
        save_segmentation_nifti_from_softmax(
            softmax, str(beside), properties, 3, properties.get("regions_class_order")
        )
        if postprocessing is not None:
            classes, sizes = load_postprocessing(str(postprocessing))
            load_remove_save(str(beside), str(beside), classes, sizes)


def _probabilities(stem: Path) -> NDArray[np.floating[Any]]:
    try:
        with np.load(f"{stem}.npz") as arrays:
            found: NDArray[np.floating[Any]] = arrays["softmax"]
            return found
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise DataError(f"can't be read: {error}", where=f"{stem}.npz") from error
