"""What nnplug itself offers, through the same hooks as any other plugin."""

from __future__ import annotations

from collections.abc import Iterable

from nnplug.hookspecs import hookimpl
from nnplug.types import PlannerSpec, TrainerSpec

_NETWORK_TRAINING = "nnunet.training.network_training"
_PLANNING = "nnunet.experiment_planning"


@hookimpl
def nnplug_trainers() -> Iterable[TrainerSpec]:
    """nnU-Net's default trainer, on one device and on several GPUs."""
    return [
        TrainerSpec(
            name="v2",
            target=f"{_NETWORK_TRAINING}.nnUNetTrainerV2:nnUNetTrainerV2",
            summary="nnU-Net's default trainer on one GPU or the CPU",
            cascade=f"{_NETWORK_TRAINING}.nnUNetTrainerV2_CascadeFullRes:"
            "nnUNetTrainerV2CascadeFullRes",
        ),
        TrainerSpec(
            name="v2_dp",
            target=f"{_NETWORK_TRAINING}.nnUNetTrainerV2_DP:nnUNetTrainerV2_DP",
            data_parallel=True,
            summary="the same on several GPUs with DataParallel",
        ),
        TrainerSpec(
            name="v2_ddp",
            target=f"{_NETWORK_TRAINING}.nnUNetTrainerV2_DDP:nnUNetTrainerV2_DDP",
            distributed=True,
            summary="the same in one process a GPU with DistributedDataParallel",
        ),
    ]


@hookimpl
def nnplug_planners() -> Iterable[PlannerSpec]:
    """nnU-Net's default planners."""
    return [
        PlannerSpec(
            name="v21",
            target=f"{_PLANNING}.experiment_planner_baseline_3DUNet_v21:ExperimentPlanner3D_v21",
            target_2d=f"{_PLANNING}.experiment_planner_baseline_2DUNet_v21:ExperimentPlanner2D_v21",
            summary="nnU-Net's default planners",
        )
    ]
