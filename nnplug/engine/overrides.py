"""Overrides for any trainer: applied to one instance, then checked to have had an effect."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnplug.errors import ConfigError

RANGES = ("rotation_x", "rotation_y", "rotation_z")
IMAGE_AXES = "zyx"


@dataclass(frozen=True)
class Overrides:
    """What to change about a trainer beyond its attributes; None leaves its own way.

    Attributes:
        schedule: ``poly`` (nnU-Net's, exponent 0.9), ``cosine`` (without restarts, Loshchilov
            and Hutter 2017, equation 5, down to 0) or ``constant``.
        mirror_axes: letters of the image's axes (``z``, ``y``, ``x``) or numbers of the
            preprocessed array's; augmentation and test-time mirroring use the same.
        augmentation: strength of rotation, scaling and elastic deformation; 0 none, 1 the
            trainer's own.
        deep_supervision: False weighs the full resolution alone, the network stays.
        loss_weights: of ``ce`` and ``dice`` in nnU-Net's compound loss.
    """

    schedule: str | None = None
    mirror_axes: Sequence[int | str] | None = None
    augmentation: float | None = None
    deep_supervision: bool | None = None
    loss_weights: Mapping[str, float] | None = None

    def before(self, trainer: Any) -> None:
        """Wrap ``setup_DA_params`` of this instance; call it before ``initialize``."""
        setup = trainer.setup_DA_params

        def setup_da_params(*args: Any, **kwargs: Any) -> None:
            setup(*args, **kwargs)
            params = trainer.data_aug_params
            if self.mirror_axes is not None:
                axes = tuple(sorted(_array_axis(trainer, axis) for axis in self.mirror_axes))
                params["mirror_axes"] = axes
                params["do_mirror"] = bool(axes)
            if self.augmentation is not None:
                _weaken(params, self.augmentation)

        trainer.setup_DA_params = setup_da_params

    def after(self, trainer: Any) -> None:
        """Change the loss and check the augmentation; call it after ``initialize``.

        Raises:
            ConfigError: the trainer's class goes its own way, so that an override would have
                no effect.
        """
        if self.mirror_axes is not None:
            self._check_mirroring(trainer)
        if self.augmentation is not None:
            self._check_augmentation(trainer)
        if self.deep_supervision is not None:
            _set_deep_supervision(trainer, self.deep_supervision)
        if self.loss_weights is not None:
            _set_loss_weights(trainer, self.loss_weights)

    def _check_mirroring(self, trainer: Any) -> None:
        from batchgenerators.transforms.spatial_transforms import MirrorTransform

        wanted = tuple(trainer.data_aug_params["mirror_axes"])
        steps = _transforms(trainer)
        if steps is not None:
            used = [tuple(s.axes) for s in steps if isinstance(s, MirrorTransform)]
            if used != ([wanted] if wanted else []):
                raise _no_effect(trainer, "mirror_axes", "it mirrors in its own way")

    def _check_augmentation(self, trainer: Any) -> None:
        from batchgenerators.transforms.spatial_transforms import SpatialTransform

        params = trainer.data_aug_params
        steps = _transforms(trainer)
        if steps is None:
            return
        used = [
            (s.angle_x, s.angle_y, s.angle_z, s.scale) for s in steps if type(s) is SpatialTransform
        ]
        if used != [tuple(params.get(name) for name in (*RANGES, "scale_range"))]:
            raise _no_effect(trainer, "augmentation", "it has augmentations of its own")


def rate(schedule: str, epoch: int, epochs: int, initial: float) -> float:
    """The learning rate of ``epoch`` (from 0) out of ``epochs``."""
    part = epoch / epochs
    if schedule == "constant":
        return initial
    if schedule == "cosine":
        return float(initial * 0.5 * (1 + math.cos(math.pi * part)))
    return float(initial * (1 - part) ** 0.9)


def set_schedule(trainer: Any, schedule: str | None, extend: int) -> None:
    """Let this instance follow ``schedule``, anew over ``extend`` epochs after its own end.

    Raises:
        ConfigError: the class has a schedule of its own.
    """
    from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2

    if schedule is None and not extend:
        return
    own = type(trainer).maybe_update_lr is not nnUNetTrainerV2.maybe_update_lr
    if own or trainer.lr_scheduler is not None:
        key = "schedule" if schedule is not None else "extend"
        raise _no_effect(trainer, key, "it has a learning-rate schedule of its own")
    planned = int(trainer.max_num_epochs)
    trainer.max_num_epochs = planned + extend

    def maybe_update_lr(epoch: int | None = None) -> None:
        number = trainer.epoch + 1 if epoch is None else epoch
        # The rate after the last epoch is 0, whether an extension follows or not.
        phase = (number, planned)
        if extend and number >= planned:
            phase = (number - planned, extend)
        value = rate(schedule or "poly", *phase, trainer.initial_lr)
        trainer.optimizer.param_groups[0]["lr"] = value
        trainer.print_to_log_file("lr:", np.round(value, decimals=6))

    trainer.maybe_update_lr = maybe_update_lr


def _array_axis(trainer: Any, axis: int | str) -> int:
    """nnU-Net's number of an axis: of the patch, whose axes its planner may have permuted."""
    first = 0 if trainer.threeD else 1
    if isinstance(axis, str):
        number = list(trainer.transpose_forward).index(IMAGE_AXES.index(axis)) - first
    else:
        number = axis
    if not 0 <= number < 3 - first:
        raise ConfigError(
            f"the patches of this network have no axis {axis}",
            where="trainer.mirror_axes",
            hint=f"choose from {', '.join(_letters(trainer, first))}",
        )
    return number


def _letters(trainer: Any, first: int) -> list[str]:
    return [IMAGE_AXES[axis] for axis in trainer.transpose_forward[first:]]


def _weaken(params: dict[str, Any], strength: float) -> None:
    neutral = {**dict.fromkeys((*RANGES, "elastic_deform_alpha"), 0), "scale_range": 1}
    for name, rest in neutral.items():
        if params.get(name) is not None:
            params[name] = tuple(rest + strength * (value - rest) for value in params[name])


def _transforms(trainer: Any) -> list[Any] | None:
    """The steps of the training augmentation; None where no data are loaded."""
    transform = getattr(trainer.tr_gen, "transform", None)
    return None if transform is None else list(getattr(transform, "transforms", [transform]))


def _set_deep_supervision(trainer: Any, wanted: bool) -> None:
    from nnunet.training.loss_functions.deep_supervision import MultipleOutputLoss2
    from nnunet.training.network_training.nnUNetTrainerV2_DP import nnUNetTrainerV2_DP

    supervised = trainer.deep_supervision_scales is not None
    if supervised == wanted:
        return
    if wanted:
        raise _no_effect(trainer, "deep_supervision", "its network has one output")
    alone = np.zeros(len(trainer.net_num_pool_op_kernel_sizes))
    alone[0] = 1
    if isinstance(trainer.loss, MultipleOutputLoss2):
        trainer.loss.weight_factors = trainer.ds_loss_weights = alone
    elif isinstance(trainer, nnUNetTrainerV2_DP):
        trainer.loss_weights = alone
    else:
        raise _no_effect(trainer, "deep_supervision", "its loss weighs the outputs in its own way")


def _set_loss_weights(trainer: Any, weights: Mapping[str, float]) -> None:
    from nnunet.training.loss_functions.dice_loss import DC_and_CE_loss
    from nnunet.training.network_training.nnUNetTrainerV2_DP import nnUNetTrainerV2_DP

    parts = [] if trainer.loss is None else trainer.loss.modules()
    found = [part for part in parts if type(part) is DC_and_CE_loss]
    if len(found) != 1 or isinstance(trainer, nnUNetTrainerV2_DP):
        raise _no_effect(trainer, "loss_weights", "its loss is not nnU-Net's DC_and_CE_loss")
    found[0].weight_ce, found[0].weight_dice = weights["ce"], weights["dice"]


def _no_effect(trainer: Any, key: str, why: str) -> ConfigError:
    return ConfigError(
        f"{type(trainer).__name__} would ignore it: {why}",
        where="resume.extend" if key == "extend" else f"trainer.{key}",
        hint="leave the key out, or choose another trainer",
    )
