"""Sums over millions of voxels need more than half precision."""

from __future__ import annotations

import torch
from torch import Tensor


def full(logits: Tensor) -> Tensor:
    """At least float32, also inside of autocast; float64 stays."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def probabilities(logits: Tensor) -> Tensor:
    """Softmax over the classes (axis 1) in full precision."""
    return torch.softmax(full(logits), 1)
