"""Muon for the convolution kernels, AdamW for everything else, in one optimizer.

Muon (Jordan 2024, https://kellerjordan.github.io/posts/muon) replaces the momentum of a weight
matrix by the nearest matrix with equal singular values, so that every direction of a layer
learns at the same pace. A kernel counts as a matrix of its first axis against all others. The
update is scaled by 0.2 sqrt(longer side), which gives it the size of AdamW's (Liu et al. 2025,
Muon is scalable), so both parts share one learning rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
SCALE = 0.2


def orthogonalised(matrix: Tensor) -> Tensor:
    """Approximately ``U V^T`` of ``matrix = U S V^T``, by Newton-Schulz iterations."""
    a, b, c = COEFFICIENTS
    wide = matrix.shape[0] <= matrix.shape[1]
    x: Tensor = matrix if wide else matrix.T
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


class MuonAdamW(torch.optim.AdamW):
    """AdamW whose first parameter group is stepped by Muon.

    Args:
        kernels: parameters with at least two axes.
        others: further parameter groups, as AdamW takes them.
        lr: learning rate of all.
        weight_decay: decoupled decay of the kernels, per step and unit of learning rate.
        momentum: Nesterov momentum of the kernels.
        dtype: in which Muon's matrices are computed; bfloat16 is enough.
    """

    def __init__(
        self,
        kernels: Iterable[Tensor],
        others: Iterable[dict[str, Any]],
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        first = {"params": list(kernels), "weight_decay": weight_decay}
        super().__init__([first, *others], lr=lr, fused=True)
        self.momentum = momentum
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step of both parts; Muon takes its gradients before AdamW looks at them."""
        kernels = self.param_groups[0]
        for weight in kernels["params"]:
            if weight.grad is not None:
                self._step_kernel(weight, weight.grad, kernels["lr"], kernels["weight_decay"])
                weight.grad = None
        return super().step(closure)

    def _step_kernel(self, weight: Tensor, grad: Tensor, lr: float, decay: float) -> None:
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
            state["step"] = torch.zeros(())  # AdamW looks for it when a state is loaded
        state["momentum"].lerp_(grad, 1 - self.momentum)
        blend = grad.lerp(state["momentum"], self.momentum)
        update = orthogonalised(blend.reshape(len(blend), -1).to(self.dtype)).to(weight.dtype)
        update = update * (SCALE * max(update.shape) ** 0.5)
        weight.mul_(1 - lr * decay).add_(update.view(weight.shape), alpha=-lr)
