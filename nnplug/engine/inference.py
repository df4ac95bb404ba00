"""One case through a model, or through several whose probabilities are averaged."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.engine.ensembling import Ensemble, mean
from nnplug.engine.models import Model
from nnplug.engine.network import Network, Preprocessed
from nnplug.engine.segmentation import Segmentation

Raw = tuple[NDArray[np.floating[Any]], dict[str, Any]]


class Inference:
    """The three steps of a case. Prints what nnU-Net prints; not for several threads at once.

    Args:
        model: what to predict with.
        mirroring: average over mirrored images; None as each model was trained.
        step_size: distance of the patches as a part of the patch size, above 0 up to 1.

    Raises:
        ConfigError: mirroring was asked of a model that was trained without, or a bad value.
    """

    def __init__(
        self, model: Model | Ensemble, *, mirroring: bool | None = None, step_size: float = 0.5
    ) -> None:
        self.ensemble = Ensemble.of(model)
        self._networks = [Network(one, mirroring, step_size) for one in self.ensemble.models]

    def read(self, images: Sequence[Path] | Sequence[sitk.Image]) -> list[Preprocessed]:
        """Preprocess a case for each network.

        nnU-Net reads files only, so images in memory take the way through a temporary folder.

        Raises:
            DataError: a channel or a file is missing.
        """
        with tempfile.TemporaryDirectory(prefix="nnplug-") as folder:
            channels: Sequence[Path | sitk.Image] = [*images]
            files = [_file(one, Path(folder, f"{n:04d}.nrrd")) for n, one in enumerate(channels)]
            return [network.read(files) for network in self._networks]

    def infer(self, case: Sequence[Preprocessed]) -> list[Raw]:
        """Each network's class probabilities, and how to bring them to the case's grid."""
        return [
            (network.infer(one), one.properties)
            for network, one in zip(self._networks, case, strict=True)
        ]

    def export(self, raw: Sequence[Raw]) -> Segmentation:
        """Bring to the case's own grid, average and post-process as stock does.

        Raises:
            DataError: the networks differ in grid or classes.
        """
        parts = [network.export(*one) for network, one in zip(self._networks, raw, strict=True)]
        found = parts[0]
        if len(parts) > 1:
            # Stock averages files, which hold half precision.
            cropped = mean([part.cropped.astype(np.float16) for part in parts])
            found = Segmentation.of(cropped, found.properties, found.regions)
        return found.postprocessed(self.ensemble.postprocessing)


def _file(image: Path | sitk.Image, path: Path) -> Path:
    if isinstance(image, Path):
        return image
    sitk.WriteImage(image, str(path))
    return path
