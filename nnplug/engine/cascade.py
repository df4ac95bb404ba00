"""What a cascade's second stage takes from the first: which model, and its mask as channels."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnplug.errors import DataError

SECOND = "3d_cascade_fullres"


def first_stage_name(name: str, info: dict[str, Any]) -> str | None:
    """``3d_lowres/TASK/TRAINER__PLANS`` for a model of the cascade's second stage, else None.

    Args:
        name: the model's, ``NETWORK/TASK/TRAINER__PLANS``.
        info: what is in its ``.model.pkl``. The last text among the arguments of nnU-Net's
            trainer is the first one's class.
    """
    network, task, model = name.split("/")
    if network != SECOND:
        return None
    record = info["nnplug"] if isinstance(info.get("nnplug"), dict) else {}
    trainer = [word for word in info.get("init", ()) if isinstance(word, str)][-1:]
    usual = f"3d_lowres/{task}/{''.join(trainer)}__{model.partition('__')[2]}"
    return str(record.get("first_stage") or usual)


def first_stage(folder: Path, info: dict[str, Any]) -> Path | None:
    """The folder of the first stage's model for one of the second stage, else None.

    Args:
        folder: of the second stage's model, ``.../3d_cascade_fullres/TASK/TRAINER__PLANS``; the
            first one's lies beside it as nnU-Net names them.
        info: what is in its ``.model.pkl``.

    Raises:
        DataError: it is not there.
    """
    name = first_stage_name("/".join(folder.resolve().parts[-3:]), info)
    return None if name is None else beside(folder, name)


def beside(folder: Path, first: str) -> Path:
    """The folder of the first stage's model, by that of the second's; raises as above."""
    name, models = PurePosixPath(first), folder.resolve().parents[2]
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
