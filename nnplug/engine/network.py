"""One case through one model: stock's preprocessing, network and resampling, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnplug.engine import cascade
from nnplug.engine.models import Model
from nnplug.engine.segmentation import Segmentation
from nnplug.errors import ConfigError, DataError


@dataclass(frozen=True, eq=False)
class Preprocessed:
    """A case as a network takes it.

    Attributes:
        data: channels (channel, z, y, x).
        properties: how to undo the preprocessing.
        first: the same for the first stage of a cascade.
    """

    data: NDArray[np.floating[Any]]
    properties: dict[str, Any]
    first: Preprocessed | None


class Network:
    """The steps of a case. Prints what nnU-Net prints; not for several threads at once.

    Args:
        model: from :func:`nnplug.engine.models.load_model`.
        mirroring: average over mirrored images; None as the model was trained.
        step_size: distance of the patches as a part of the patch size, above 0 up to 1.

    Raises:
        ConfigError: mirroring was asked of a model that was trained without, or a bad value.
    """

    def __init__(self, model: Model, mirroring: bool | None, step_size: float) -> None:
        if mirroring and not model.mirrored:
            raise ConfigError("the model was trained without mirroring", hint="mirroring=null")
        if not 0 < step_size <= 1:
            raise ConfigError(f"step_size must be above 0 and at most 1, not {step_size}")
        self.model = model
        self.mirroring = model.mirrored if mirroring is None else mirroring
        self.step_size = step_size
        self.first = (
            None if model.first_stage is None else Network(model.first_stage, mirroring, step_size)
        )
        self._loaded: int | None = None
        export = model.trainer.plans.get("segmentation_export_params") or {}
        self._separate_z = export.get("force_separate_z")
        self._order = export.get("interpolation_order", 1)
        self._order_z = export.get("interpolation_order_z", 0)

    def read(self, files: Sequence[Path]) -> Preprocessed:
        """Preprocess a case, one file a channel.

        Raises:
            DataError: a channel or a file is missing.
        """
        if len(files) != self.model.channels:
            raise DataError(
                f"the model takes {self.model.channels} channels, the case has {len(files)}"
            )
        missing = [str(path) for path in files if not path.is_file()]
        if missing:
            raise DataError(f"no such file: {', '.join(missing)}")
        data, _, properties = self.model.trainer.preprocess_patient([*map(str, files)])
        first = None if self.first is None else self.first.read(files)
        return Preprocessed(data, properties, first)

    def infer(self, case: Preprocessed) -> NDArray[np.floating[Any]]:
        """Class probabilities averaged over the folds, in the images' axis order."""
        trainer, params, data = self.model.trainer, self.model.params, case.data
        if self.first is not None:
            assert case.first is not None
            data = cascade.joined(trainer, data, self.first.segment(case.first).array)
        total: Any = None
        for index, checkpoint in enumerate(params):
            if self._loaded != index:
                trainer.load_checkpoint_ram(checkpoint, False)
                self._loaded = index
            one = trainer.predict_preprocessed_data_return_seg_and_softmax(
                data,
                do_mirroring=self.mirroring,
                mirror_axes=trainer.data_aug_params["mirror_axes"],
                use_sliding_window=True,
                step_size=self.step_size,
                use_gaussian=True,
                all_in_gpu=False,
                mixed_precision=self.model.mixed_precision,
            )[1]
            if total is None:
                total = one
            else:
                total += one
        if len(params) > 1:
            total /= len(params)
        backward = trainer.plans["transpose_backward"]
        found: NDArray[np.floating[Any]] = total.transpose([0, *(axis + 1 for axis in backward)])
        return found

    def segment(self, case: Preprocessed) -> Segmentation:
        """The case segmented by this network alone, post-processed as its folder says."""
        return self.export(self.infer(case), case.properties).postprocessed(
            self.model.postprocessing
        )

    def export(
        self, probabilities: NDArray[np.floating[Any]], properties: dict[str, Any]
    ) -> Segmentation:
        """Resample to the case's own grid."""
        regions = self.model.regions
        return Segmentation.of(self._resampled(probabilities, properties), properties, regions)

    def _resampled(
        self, probabilities: NDArray[np.floating[Any]], properties: dict[str, Any]
    ) -> NDArray[np.floating[Any]]:
        """On the case's grid (class, z, y, x), cropped as nnU-Net crops.

        When z is resampled on its own follows
        ``nnunet.inference.segmentation_export.save_segmentation_nifti_from_softmax``.
        """
        from nnunet.preprocessing.preprocessing import (
            get_do_separate_z,
            get_lowres_axis,
            resample_data_or_seg,
        )

        shape = tuple(properties["size_after_cropping"])
        if probabilities.shape[1:] == shape:
            return probabilities
        before, after = properties["original_spacing"], properties["spacing_after_resampling"]
        separate, coarse = bool(self._separate_z), before
        if self._separate_z is None:
            separate = get_do_separate_z(before) or get_do_separate_z(after)
            coarse = before if get_do_separate_z(before) else after
        axis = get_lowres_axis(coarse) if separate else None
        if axis is not None and len(axis) != 1:
            separate = False
        found: NDArray[np.floating[Any]] = resample_data_or_seg(
            probabilities,
            shape,
            is_seg=False,
            axis=axis,
            order=self._order,
            do_separate_z=separate,
            order_z=self._order_z,
        )
        return found
