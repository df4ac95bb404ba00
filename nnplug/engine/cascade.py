"""What a cascade's second stage takes from the first: which model, and its mask as channels."""

from __future__ import annotations

import inspect
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnplug.engine import mounting
from nnplug.errors import DataError


def first_stage(folder: Path, info: dict[str, Any]) -> Path | None:
    """The folder of the first stage's model for one of the second stage, else None.

    Args:
        folder: of the second stage's model, ``.../3d_cascade_fullres/TASK/TRAINER__PLANS``; the
            first one's lies beside it as nnU-Net names them.
        info: what is in its ``.model.pkl``. Its trainer has to be mounted.

    Raises:
        DataError: it is not there.
    """
    cls = mounting.find(mounting.TRAINER, str(info.get("name")))
    if not isinstance(cls, type) or "previous_trainer" not in inspect.signature(cls).parameters:
        return None
    record = info["nnplug"] if isinstance(info.get("nnplug"), dict) else {}
    bound = inspect.signature(cls).bind(*info.get("init", ()))
    bound.apply_defaults()
    plans = folder.name.partition("__")[2]
    usual = f"3d_lowres/{folder.parent.name}/{bound.arguments['previous_trainer']}__{plans}"
    name = PurePosixPath(str(record.get("first_stage") or usual))
    models = folder.resolve().parents[2]
    path = models.joinpath(*name.parts)
    if len(name.parts) != 3 or ".." in name.parts or name.is_absolute() or not path.is_dir():
        raise DataError(
            f"the cascade's first stage is not there: {name}",
            where=str(models),
            hint="keep both models in one results folder, or predict with a 3d_fullres model",
        )
    return path


def joined(
    trainer: Any, data: NDArray[np.floating[Any]], mask: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """A preprocessed case and the first stage's classes, as ``nnunet.inference.predict`` does it.

    As in stock the whole mask is fitted to the array, even if that was cropped.

    Args:
        trainer: of the second stage.
        data: channels (channel, z, y, x) in the axis order of the plans.
        mask: of the first stage, on the case's own grid (z, y, x).
    """
    from batchgenerators.augmentations.utils import resize_segmentation
    from nnunet.utilities.one_hot_encoding import to_one_hot

    turned = mask.transpose(trainer.plans["transpose_forward"])
    fitted = resize_segmentation(turned, data.shape[1:], order=1)
    classes = to_one_hot(fitted, list(range(1, trainer.num_classes)))
    return np.vstack((data, classes)).astype(np.float32)
