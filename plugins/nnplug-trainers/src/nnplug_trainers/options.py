"""The quick recipe's options; imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class QuickOptions:
    """Settings of the recipe; epochs, batches and learning rate are trainer attributes.

    intensity: change noise, brightness, contrast, gamma and resolution in training, as nnU-Net
        does; worth it for longer trainings and images from several scanners.
    spatial: probability of a rotation, and of a zoom, in training, in [0, 1] (nnU-Net: 0.2).
    mirror: flip along nnU-Net's mirror axes in training and, then, at test time.
    ema: decay per step of the averaged weights, in [0, 1); 0 uses the last step's weights.
    patch_voxels: largest number of voxels in a patch; the planned patch is shrunk to it.
    bf16: bfloat16 autocast on the CPU; on a GPU nnU-Net's own `fp16` decides.
    weight_decay: decoupled decay, >= 0; not applied to biases and normalisation.
    warmup: fraction of all steps with a linearly rising learning rate, in [0, 0.5].
    """

    intensity: bool = True
    spatial: float = 0.5
    mirror: bool = False
    ema: float = 0.99
    patch_voxels: int = 50_000
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
        if self.patch_voxels < 1:
            raise ValueError(f"patch_voxels must be at least 1, not {self.patch_voxels}")
        if not 0 <= self.spatial <= 1:
            raise ValueError(f"spatial must be in [0, 1], not {self.spatial}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be in [0, 1), not {self.ema}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must be finite and >= 0, not {self.weight_decay}")
        if not 0 <= self.warmup <= 0.5:
            raise ValueError(f"warmup must be in [0, 0.5], not {self.warmup}")
