"""The boundary loss: how much is predicted how far away from the reference.

H. Kervadec et al., Boundary loss for highly unbalanced segmentation, MIDL 2019,
https://proceedings.mlr.press/v102/kervadec19a.html.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nnplug_losses.precision import probabilities


def signed_distance(masks: Tensor) -> Tensor:
    """Distances to the masks' boundaries in voxels: from 1 up outside, from 0 down inside.

    Outside it is the distance to the nearest voxel of the mask, inside 1 minus that to the nearest
    voxel outside, as in the authors' program. A mask that is empty or full has no boundary and
    gets zeros.

    Args:
        masks: booleans (n, [z,] y, x).
    """
    flat = masks.flatten(1)
    bounded = flat.any(1) & ~flat.all(1)
    distances = torch.zeros(masks.shape, device=masks.device)
    if not bounded.any():
        return distances
    inside = masks[bounded]
    distances[bounded] = torch.where(inside, 1 - _distance(~inside), _distance(inside))
    return distances


class BoundaryLoss(nn.Module):
    """alpha times the mean of phi s over voxels and foreground classes.

    s is the softmax of a class and phi the signed distance to its reference, so what is predicted
    costs more the farther outside it lies, and earns more the deeper inside. It is negative where
    the prediction is good, and does not tell a class that is absent from one that is everywhere.

    Args:
        alpha: called for each batch, so that it can grow from epoch to epoch.
    """

    def __init__(self, alpha: Callable[[], float]) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """``logits`` (b, c, [z,] y, x), ``target`` label values (b, 1, [z,] y, x); a scalar."""
        predicted = probabilities(logits)[:, 1:]
        classes = torch.arange(1, logits.shape[1], device=target.device)
        with torch.no_grad():
            reference = target == classes.view(-1, *[1] * (target.ndim - 2))
            distances = signed_distance(reference.flatten(0, 1)).view_as(predicted)
        return self.alpha() * (distances * predicted).mean()


def _distance(masks: Tensor) -> Tensor:
    """The Euclidean distance of each voxel to the nearest one of its mask, which has some.

    Squares of distances are made one axis after the other: along an axis, the square at a voxel is
    the least over all voxels of theirs plus the square of the way between
    (P. Felzenszwalb and D. Huttenlocher, Distance Transforms of Sampled Functions, 2012,
    https://doi.org/10.4086/toc.2012.v008a019).
    """
    far = float(sum(size**2 for size in masks.shape[1:]))
    squares = torch.full(masks.shape, far, device=masks.device).masked_fill(masks, 0)
    for axis in range(1, masks.ndim):
        before, size = squares, squares.shape[axis]
        squares = before.clone()
        for step in range(1, size):
            if step**2 >= squares.max():
                break
            for to, start in ((0, step), (step, 0)):
                there = squares.narrow(axis, to, size - step)
                way = before.narrow(axis, start, size - step) + step**2
                there.copy_(torch.minimum(there, way))
    return squares.sqrt()
