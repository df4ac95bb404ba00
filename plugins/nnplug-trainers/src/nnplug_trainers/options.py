"""The quick recipe's options; imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class QuickOptions:
    """Settings of the recipe; epochs, batches and learning rate are trainer attributes.

    mirror: flip along nnU-Net's mirror axes in training and, then, at test time.
    ema: decay per step of the averaged weights, in [0, 1); 0 uses the last step's weights.
    compile: torch.compile the training step's network (falls back with one log line).
    bf16: bfloat16 autocast on the CPU; on a GPU nnU-Net's own `fp16` decides.
    weight_decay: AdamW's decay, >= 0; not applied to biases and normalisation.
    warmup: fraction of all steps with a linearly rising learning rate, in [0, 0.5].
    """

    mirror: bool = False
    ema: float = 0.99
    compile: bool = True
    bf16: bool = True
    weight_decay: float = 0.01
    warmup: float = 0.05

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError, naming the option, for a value out of range."""
        for f in fields(self):
            value = getattr(self, f.name)
            wanted = type(f.default)
            ok = isinstance(value, wanted) or (wanted is float and type(value) is int)
            if not ok:
                raise TypeError(f"{f.name} must be {wanted.__name__}, not {value!r}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be in [0, 1), not {self.ema}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must be finite and >= 0, not {self.weight_decay}")
        if not 0 <= self.warmup <= 0.5:
            raise ValueError(f"warmup must be in [0, 0.5], not {self.warmup}")
