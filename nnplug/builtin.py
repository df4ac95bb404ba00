"""What nnplug itself offers, through the same hooks as any other plugin."""

from __future__ import annotations

from collections.abc import Iterable

from nnplug.hookspecs import hookimpl
from nnplug.types import TrainerSpec

_NETWORK_TRAINING = "nnunet.training.network_training"


@hookimpl
def nnplug_trainers() -> Iterable[TrainerSpec]:
    """nnU-Net's default trainer, on one device and on several GPUs."""
    return [
        TrainerSpec(
            name="v2",
            target=f"{_NETWORK_TRAINING}.nnUNetTrainerV2:nnUNetTrainerV2",
            summary="nnU-Net's default trainer on one GPU or the CPU",
        ),
        TrainerSpec(
            name="v2_dp",
            target=f"{_NETWORK_TRAINING}.nnUNetTrainerV2_DP:nnUNetTrainerV2_DP",
            data_parallel=True,
            summary="the same on several GPUs with DataParallel",
        ),
    ]
