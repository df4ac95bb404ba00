"""The soft centreline Dice of tubes.

S. Shit et al., clDice - a Novel Topology-Preserving Loss Function for Tubular Structure
Segmentation, CVPR 2021, https://doi.org/10.1109/CVPR46437.2021.01629.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, max_pool3d, relu

from nnplug_losses.precision import probabilities


def soft_skeleton(mask: Tensor, iterations: int) -> Tensor:
    """Skeletons of masks with values in [0, 1], differentiable (algorithm 1 of the paper).

    With E the erosion and D the dilation, I_0 = I and I_j = E(I_(j-1))::

        S_0 = relu(I_0 - D(E(I_0)))
        S_j = S_(j-1) + (1 - S_(j-1)) relu(I_j - D(E(I_j)))

    E is the minimum over a voxel and its neighbours along the axes, D the maximum over the whole
    3 x 3 (x 3) box, as in the authors' program. Outside of the image there is nothing that
    erodes. Of a mask of zeros and ones this is its morphological skeleton.

    Args:
        mask: (b, c, [z,] y, x).
        iterations: j runs up to it; parts with a larger radius in voxels have no skeleton.
    """
    eroded = _erode(mask)
    skeleton = relu(mask - _dilate(eroded))
    for _ in range(iterations):
        mask, eroded = eroded, _erode(eroded)
        skeleton = skeleton + (1 - skeleton) * relu(mask - _dilate(eroded))
    return skeleton


class SoftClDiceLoss(nn.Module):
    """One minus the soft clDice, averaged over the foreground classes.

    With V the probabilities (P) or the reference (L) of a class, S their soft skeletons and
    sums over all voxels::

        Tprec = (sum S_P V_L + s) / (sum S_P + s)
        Tsens = (sum S_L V_P + s) / (sum S_L + s)
        clDice = 2 Tprec Tsens / (Tprec + Tsens)

    s = 1 as in the authors' program: a class that is absent and not predicted counts as perfect.

    Args:
        iterations: see :func:`soft_skeleton`.
        batch_dice: sums over the batch as well, as nnU-Net's Dice has it.
    """

    smooth = 1.0

    def __init__(self, iterations: int, batch_dice: bool) -> None:
        super().__init__()
        self.iterations = iterations
        self.batch_dice = batch_dice

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """``logits`` (b, c, [z,] y, x), ``target`` label values (b, 1, [z,] y, x); a scalar."""
        predicted = probabilities(logits)[:, 1:]
        classes = torch.arange(1, logits.shape[1], device=target.device)
        reference = (target == classes.view(-1, *[1] * (target.ndim - 2))).to(predicted.dtype)
        with torch.no_grad():
            reference_skeleton = soft_skeleton(reference, self.iterations)
        skeleton = soft_skeleton(predicted, self.iterations)
        precision = self._part(skeleton, reference)
        sensitivity = self._part(reference_skeleton, predicted)
        return 1 - (2 * precision * sensitivity / (precision + sensitivity)).mean()

    def _part(self, skeleton: Tensor, volume: Tensor) -> Tensor:
        """Which part of the skeleton lies in the volume, per class (and sample)."""
        axes = [a for a in range(skeleton.ndim) if a != 1 and (a != 0 or self.batch_dice)]
        inside = (skeleton * volume).sum(axes)
        return (inside + self.smooth) / (skeleton.sum(axes) + self.smooth)


def _erode(mask: Tensor) -> Tensor:
    axes = mask.ndim - 2
    pool = max_pool2d if axes == 2 else max_pool3d
    eroded = mask
    for axis in range(axes):
        size = tuple(3 if a == axis else 1 for a in range(axes))
        padding = tuple(s // 2 for s in size)
        eroded = torch.minimum(eroded, -pool(-mask, size, 1, padding))
    return eroded


def _dilate(mask: Tensor) -> Tensor:
    pool = max_pool2d if mask.ndim == 4 else max_pool3d
    return pool(mask, 3, 1, 1)
