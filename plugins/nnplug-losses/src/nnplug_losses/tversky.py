"""The focal Tversky loss.

N. Abraham and N. M. Khan, A Novel Focal Tversky Loss Function with Improved Attention U-Net for
Lesion Segmentation, ISBI 2019, https://doi.org/10.1109/ISBI.2019.8759329; the index is that of
S. S. M. Salehi et al., MLMI 2017, https://doi.org/10.1007/978-3-319-67389-9_44.
"""

from __future__ import annotations

from nnunet.training.loss_functions.dice_loss import get_tp_fp_fn_tn
from torch import Tensor, nn

from nnplug_losses.precision import probabilities


class FocalTverskyLoss(nn.Module):
    """The mean over the foreground classes of (1 - TI) ^ (1 / gamma).

    With TP, FN and FP the sums of the probabilities of hits, misses and false alarms::

        TI = (TP + s) / (TP + alpha FN + beta FP + s)

    The paper adds the classes up; the mean keeps the loss' size whatever their number. Its
    background is left out, as in nnU-Net's Dice, and s is nnU-Net's. alpha = beta = 0.5 and
    gamma = 1 give the Dice loss.

    Args:
        alpha: weight of FN.
        beta: weight of FP.
        gamma: above 1 it weakens what is segmented well less than what is segmented badly.
        batch_dice: sums over the batch as well, as nnU-Net's Dice has it.
    """

    smooth = 1e-5
    # The slope of x ^ (1 / gamma) at 0 is infinite.
    least = 1e-7

    def __init__(self, alpha: float, beta: float, gamma: float, batch_dice: bool) -> None:
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.batch_dice = batch_dice

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """``logits`` (b, c, [z,] y, x), ``target`` label values (b, 1, [z,] y, x); a scalar."""
        axes = [*([0] if self.batch_dice else []), *range(2, logits.ndim)]
        tp, fp, fn, _ = get_tp_fp_fn_tn(probabilities(logits), target, axes)
        hits = tp + self.smooth
        index = hits / (hits + self.alpha * fn + self.beta * fp)
        foreground = index[1:] if self.batch_dice else index[:, 1:]
        loss: Tensor = ((1 - foreground).clamp(min=self.least) ** (1 / self.gamma)).mean()
        return loss
