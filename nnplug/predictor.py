"""A model that is loaded once and segments images in memory, as often as wanted."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.catalog import Catalog
from nnplug.config.build import build
from nnplug.config.folders import Folders
from nnplug.config.settings import Fold, Predict
from nnplug.data import geometry
from nnplug.engine import environment
from nnplug.engine.inference import Inference
from nnplug.errors import DataError, NnplugError, TrainingError
from nnplug.stages import label_values as values_of
from nnplug.stages import masks
from nnplug.stages import model as models

_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, eq=False)
class Prediction:
    """A segmented case.

    Attributes:
        mask: label values on the grid of the images.
        softmax: probabilities (class, z, y, x), or None if they were not asked for.
    """

    mask: sitk.Image
    softmax: NDArray[np.float32] | None = None

    @property
    def array(self) -> NDArray[np.integer[Any]]:
        """The mask as an array (z, y, x)."""
        found: NDArray[np.integer[Any]] = sitk.GetArrayFromImage(self.mask)
        return found


class Predictor:
    """A loaded model; its masks are those of ``nnplug predict`` with the same settings.

    Threads may share it: cases are predicted one after the other. A process serves one
    ``root``, because nnU-Net reads its folders when it is imported. Leaving it as a context
    manager, or :meth:`close`, lets go of the weights.

    Attributes:
        channels: how many images a case has.
        folders: of the models, one or several whose probabilities are averaged.

    Args:
        model: a model's folder, or its name below ``root`` as ``nnplug bundle list`` shows it; or
            a ``best.json`` that ``nnplug best`` wrote, ``best`` for the only one below ``root``.
        folds: whose weights are averaged; None takes all that are there, or those of ``best``.
        checkpoint: the file name without ``.model``.
        mirroring: test-time mirroring; None does what training did.
        step_size: of the sliding window, as a fraction of the patch, above 0 up to 1.
        label_values: write the values of the source's labels, where they are known, or those
            of the dataset.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``full``, ``mixed`` (float16), or ``auto``: mixed on CUDA, as stock nnU-Net.
        root: holds nnU-Net's three folders, as ``paths.root``; None takes NNPLUG_ROOT, or
            ``nnplug_data``.

    Raises:
        ConfigError: there is no such model, or it can't predict like this.
        DataError, TrainingError: the model is incomplete or damaged.
        DeviceError: the device is not there.
        PluginError: the plugin of the model's trainer is missing.
        NnplugError: this process already works on another ``root``.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        folds: Sequence[Fold] | None = None,
        checkpoint: str = "model_final_checkpoint",
        mirroring: bool | None = None,
        step_size: float = 0.5,
        label_values: Literal["source", "dataset"] = "source",
        device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
        precision: Literal["auto", "full", "mixed"] = "auto",
        root: str | Path | None = None,
    ) -> None:
        settings = build(
            Predict,
            {
                "input": ".",
                "output": ".",
                "model": model,
                "folds": folds,
                "checkpoint": checkpoint,
                "step_size": step_size,
                "label_values": label_values,
                "device": device,
                "precision": precision,
            },
        )
        chosen = Path(root or os.environ.get("NNPLUG_ROOT") or "nnplug_data").expanduser()
        folders = Folders.below(chosen)
        with _ONE_AT_A_TIME:
            found = environment.enter(
                folders, device=device, gpus=None, workers=1, precision=precision
            )
            loaded = models.load(settings, Catalog.build(), folders, found)
        self._restore = values_of.restoring(settings, loaded)
        self._inference: Inference | None = Inference(
            loaded, mirroring=mirroring, step_size=step_size
        )
        self.channels = loaded.channels
        self.folders = tuple(one.folder for one in loaded.models)

    def predict(
        self,
        images: sitk.Image | Sequence[sitk.Image] | NDArray[Any],
        spacing: Sequence[float] | None = None,
        *,
        softmax: bool = False,
    ) -> Prediction:
        """Segment one case.

        Args:
            images: one image a channel on one grid, in the order of the model's channels; or an
                array (channel, z, y, x) of numbers that nnU-Net sees as float32.
            spacing: of an array, z, y, x in mm; the mask then starts at 0 along x, y, z.
            softmax: return the probabilities too.

        Raises:
            DataError: the images don't fit the model or one another.
            TrainingError: nnU-Net failed on this case.
            NnplugError: the predictor is closed.
        """
        channels = _checked(_images(images, spacing))
        with _ONE_AT_A_TIME, environment.quiet(None, all_threads=False):
            if self._inference is None:
                raise NnplugError("the predictor is closed", hint="make a new one")
            try:
                case = self._inference.read(channels)
                segmentation = self._inference.export(self._inference.infer(case))
            except NnplugError:
                raise
            except Exception as error:
                raise TrainingError(
                    f"the case could not be predicted: {type(error).__name__}: {error}"
                ) from error
        array: NDArray[np.integer[Any]] = segmentation.array
        if self._restore is not None:
            array = masks.revalued(array, self._restore)
        return Prediction(segmentation.image(array), segmentation.softmax() if softmax else None)

    def close(self) -> None:
        """Let go of the weights; a case that is being predicted is finished."""
        with _ONE_AT_A_TIME:
            self._inference = None

    def __enter__(self) -> Predictor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _images(
    images: sitk.Image | Sequence[sitk.Image] | NDArray[Any], spacing: Sequence[float] | None
) -> list[sitk.Image]:
    if isinstance(images, np.ndarray):
        if images.ndim != 4 or spacing is None or len(spacing) != 3:
            raise DataError("an array needs the axes channel, z, y, x, and a spacing z, y, x in mm")
        if not all(0 < step < np.inf for step in spacing):
            raise DataError(f"a spacing in mm is above 0, not {tuple(spacing)}")
        channels = [sitk.GetImageFromArray(np.asarray(one, np.float32)) for one in images]
        for channel in channels:
            channel.SetSpacing([float(step) for step in reversed(spacing)])
        return channels
    if spacing is not None:
        raise DataError("images know their spacing; only an array needs one")
    return [images] if isinstance(images, sitk.Image) else list(images)


def _checked(channels: list[sitk.Image]) -> list[sitk.Image]:
    for number, image in enumerate(channels):
        if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
            raise DataError(f"channel {number} is no volume with one value a voxel")
        apart = geometry.differences(channels[0], image)
        if apart:
            raise DataError(f"channel {number} is on another grid: {'; '.join(apart)}")
        if not np.isfinite(sitk.GetArrayViewFromImage(image)).all():
            raise DataError(f"channel {number} holds values that are not finite")
    return channels
