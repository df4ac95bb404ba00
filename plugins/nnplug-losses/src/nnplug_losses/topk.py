"""Dice and the cross-entropy of the hardest voxels: nnU-Net's own, for small outputs too.

The k percent with the highest cross-entropy: Z. Wu, C. Shen and A. van den Hengel, Bridging
Category-level and Instance-level Semantic Image Segmentation, 2016,
https://arxiv.org/abs/1605.06885.
"""

from __future__ import annotations

from typing import Any

from nnunet.training.loss_functions.dice_loss import DC_and_topk_loss
from nnunet.training.loss_functions.TopK_loss import TopKLoss
from torch import Tensor
from torch.nn.functional import cross_entropy

from nnplug_losses.precision import full


class DiceTopKLoss(DC_and_topk_loss):  # type: ignore[misc]
    """nnU-Net's ``DC_and_topk_loss``, of at least one voxel and in full precision.

    nnU-Net's gives NaN where k percent of an output's voxels are less than one voxel, which
    happens in low resolutions of deep supervision.

    Args:
        dice: nnU-Net's arguments of its soft Dice.
        k: percentage of the voxels.
    """

    def __init__(self, dice: dict[str, Any], k: float) -> None:
        super().__init__(dice, {"k": k})
        self.ce = _AtLeastOne(k=k)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """``logits`` (b, c, [z,] y, x), ``target`` label values (b, 1, [z,] y, x); a scalar."""
        loss: Tensor = super().forward(full(logits), target)
        return loss


class _AtLeastOne(TopKLoss):  # type: ignore[misc]
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        if target.numel() * self.k < 100:
            return cross_entropy(logits, target[:, 0].long(), reduction="none").max()
        loss: Tensor = super().forward(logits, target)
        return loss
