"""nnU-Net's V2 trainer with other losses.

nnU-Net weighs the outputs of deep supervision (``MultipleOutputLoss2``) and gives voxels outside
of the body, -1 in its preprocessed labels, the background's label, both as for its own loss.
"""

from __future__ import annotations

from typing import Any

from nnunet.training.loss_functions.dice_loss import RobustCrossEntropyLoss
from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2
from torch import Tensor, nn

from nnplug_losses.boundary import BoundaryLoss
from nnplug_losses.cldice import SoftClDiceLoss
from nnplug_losses.options import (
    BoundaryOptions,
    ClDiceOptions,
    FocalTverskyOptions,
    TopKOptions,
)
from nnplug_losses.topk import DiceTopKLoss
from nnplug_losses.tversky import FocalTverskyLoss


class Weighted(nn.Module):
    """A weighted sum of losses of the same arguments; a weight of 0 costs no time."""

    def __init__(self, *terms: tuple[float, nn.Module]) -> None:
        super().__init__()
        self.weights = [weight for weight, _ in terms if weight]
        self.losses = nn.ModuleList(loss for weight, loss in terms if weight)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """``logits`` (b, c, [z,] y, x), ``target`` label values (b, 1, [z,] y, x); a scalar."""
        pairs = zip(self.weights, self.losses, strict=True)
        total: Tensor = sum(weight * loss(logits, target) for weight, loss in pairs)
        return total


class WithLoss(nnUNetTrainerV2):  # type: ignore[misc]
    """Makes its loss from ``options``, which are set before ``initialize()``."""

    options: Any
    batch_dice: bool
    loss: nn.Module

    def make_loss(self) -> nn.Module:
        """The loss of one output; ``self.loss`` is nnU-Net's own until then."""
        raise NotImplementedError

    def initialize(self, training: bool = True, force_load_plans: bool = False) -> None:
        """As nnU-Net's, which wraps the loss for deep supervision."""
        if not self.was_initialized:
            self.loss = self.make_loss()
        super().initialize(training, force_load_plans)


class nnUNetTrainerV2_ClDice(WithLoss):  # noqa: N801
    """nnU-Net's Dice and cross-entropy, and ``options.weight`` times the clDice loss."""

    options = ClDiceOptions()

    def make_loss(self) -> nn.Module:
        """nnU-Net's loss with one more term."""
        tubes = SoftClDiceLoss(self.options.iterations, self.batch_dice)
        return Weighted((1.0, self.loss), (self.options.weight, tubes))


class nnUNetTrainerV2_Boundary(WithLoss):  # noqa: N801
    """nnU-Net's Dice and cross-entropy, and the boundary loss with a factor that grows."""

    options = BoundaryOptions()
    epoch: int

    def make_loss(self) -> nn.Module:
        """nnU-Net's loss with one more term."""
        return Weighted((1.0, self.loss), (1.0, BoundaryLoss(self.alpha)))

    def alpha(self) -> float:
        """The factor in this epoch."""
        return min(self.options.weight, self.options.growth * (self.epoch + 1))


class nnUNetTrainerV2_FocalTversky(WithLoss):  # noqa: N801
    """The focal Tversky loss, and ``options.ce_weight`` times nnU-Net's cross-entropy."""

    options = FocalTverskyOptions()

    def make_loss(self) -> nn.Module:
        """Without nnU-Net's Dice."""
        chosen = self.options
        tversky = FocalTverskyLoss(chosen.alpha, chosen.beta, chosen.gamma, self.batch_dice)
        return Weighted((1.0, tversky), (chosen.ce_weight, RobustCrossEntropyLoss()))


class nnUNetTrainerV2_DiceTopK(WithLoss):  # noqa: N801
    """nnU-Net's Dice and the cross-entropy of the hardest ``options.k`` percent of the voxels."""

    options = TopKOptions()

    def make_loss(self) -> nn.Module:
        """nnU-Net's own loss of that kind, with its arguments."""
        dice = {"batch_dice": self.batch_dice, "smooth": 1e-5, "do_bg": False}
        return DiceTopKLoss(dice, self.options.k)
