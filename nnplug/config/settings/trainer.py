"""Which trainer, and what to change about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Trainer:
    """``trainer``: which trainer, and what to change about it; None leaves nnU-Net's value.

    Attributes:
        name: a trainer of the catalog.
        epochs, batches_per_epoch, val_batches_per_epoch, initial_lr: attributes of the trainer.
        batch_size, patch_size, base_num_features: written into derived plans; the patch is in
            voxels, in the order of the plans' axes (arrays: z, y, x; 2d: y, x).
        schedule: of the learning rate.
        mirror_axes: ``z``, ``y``, ``x`` of the image, or nnU-Net's numbers of the preprocessed
            array's axes; empty for none. Shared by augmentation and prediction.
        augmentation: strength of rotation, scaling and elastic deformation, 0 (none) to 1.
        deep_supervision: False trains on the full resolution alone.
        loss_weights: of ``ce`` and ``dice`` in nnU-Net's compound loss.
        gpus: the devices to use, by number.
        processes: of a distributed trainer; None for one a GPU, or one.
        distribute_batch_size: share the plans' batch among the GPUs of a data-parallel or
            distributed trainer; else each GPU gets one.
        options: the trainer's own options.
    """

    name: str
    epochs: int | None = None
    batches_per_epoch: int | None = None
    val_batches_per_epoch: int | None = None
    initial_lr: float | None = None
    batch_size: int | None = None
    patch_size: list[int] | None = None
    base_num_features: int | None = None
    schedule: Literal["poly", "cosine", "constant"] | None = None
    mirror_axes: list[int | str] | None = None
    augmentation: float | None = None
    deep_supervision: bool | None = None
    loss_weights: dict[str, float] | None = None
    gpus: list[int] | None = None
    processes: int | None = None
    distribute_batch_size: bool | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (
            "epochs",
            "batches_per_epoch",
            "val_batches_per_epoch",
            "batch_size",
            "processes",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if self.base_num_features is not None and self.base_num_features < 1:
            raise ValueError(f"base_num_features must be at least 1, not {self.base_num_features}")
        if self.initial_lr is not None and not 0 < self.initial_lr < math.inf:
            raise ValueError(f"initial_lr must be above 0, not {self.initial_lr}")
        if self.patch_size is not None and any(edge < 1 for edge in self.patch_size):
            raise ValueError(f"patch_size must be positive, not {self.patch_size}")
        self._check_overrides()
        if self.gpus is not None and (
            not self.gpus or min(self.gpus) < 0 or len(set(self.gpus)) < len(self.gpus)
        ):
            raise ValueError(f"gpus must be different device numbers, not {self.gpus}")

    def _check_overrides(self) -> None:
        axes, weights = self.mirror_axes, self.loss_weights
        if axes is not None and (
            len(set(axes)) < len(axes) or not (set(axes) <= set("zyx") or set(axes) <= {0, 1, 2})
        ):
            raise ValueError(
                f"mirror_axes must be letters of z, y, x or numbers of 0, 1, 2, not {axes}"
            )
        if self.augmentation is not None and not 0 <= self.augmentation <= 1:
            raise ValueError(f"augmentation must be from 0 to 1, not {self.augmentation}")
        if weights is not None and (
            set(weights) != {"ce", "dice"}
            or not all(0 <= weight < math.inf for weight in weights.values())
            or not any(weights.values())
        ):
            raise ValueError(f"loss_weights must be like {{ce: 1, dice: 1}}, not {weights}")
