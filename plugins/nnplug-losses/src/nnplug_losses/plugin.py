"""What this package offers to nnplug; light to import."""

from __future__ import annotations

from nnplug.hookspecs import hookimpl
from nnplug.types import TrainerSpec
from nnplug_losses.options import (
    BoundaryOptions,
    ClDiceOptions,
    FocalTverskyOptions,
    TopKOptions,
)


@hookimpl
def nnplug_trainers() -> list[TrainerSpec]:
    """nnU-Net's V2 trainer with another loss, everything else as it is."""
    return [
        TrainerSpec(
            name="cldice",
            target="nnplug_losses.trainers:nnUNetTrainerV2_ClDice",
            options=ClDiceOptions,
            summary="Dice, cross-entropy and clDice: vessels and other tubes stay connected",
        ),
        TrainerSpec(
            name="boundary",
            target="nnplug_losses.trainers:nnUNetTrainerV2_Boundary",
            options=BoundaryOptions,
            summary="Dice, cross-entropy and boundary loss: small structures in large images",
        ),
        TrainerSpec(
            name="focal_tversky",
            target="nnplug_losses.trainers:nnUNetTrainerV2_FocalTversky",
            options=FocalTverskyOptions,
            summary="focal Tversky loss: small lesions, where a miss costs more than a false alarm",
        ),
        TrainerSpec(
            name="dice_topk",
            target="nnplug_losses.trainers:nnUNetTrainerV2_DiceTopK",
            options=TopKOptions,
            summary="Dice and the cross-entropy of the hardest voxels",
        ),
    ]
