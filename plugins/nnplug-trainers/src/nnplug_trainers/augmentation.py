"""Training-time augmentation of a whole batch with torch, on whatever device the batch is on.

nnU-Net v1 augments sample by sample in worker processes with scipy. On two cores these
processes take the time from the network. Here one affine map is applied by `grid_sample` to
image and labels together, and the intensity changes are plain tensor arithmetic.

Ranges and probabilities come from nnU-Net's own `data_aug_params`, so what a trainer sets up
there (rotation limits, in-plane only rotation for anisotropic data, mirror axes) is followed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate


def around_one(low: float, high: float) -> float:
    """A random factor in [low, high]; where 1 lies inside, as often below as above it."""
    if low < 1 < high:
        low, high = (low, 1) if np.random.uniform() < 0.5 else (1, high)
    return float(np.random.uniform(low, high))


def centre_crop(x: Tensor, size: Sequence[int]) -> Tensor:
    """Crop the spatial axes of `x` (c, [z,] y, x) to `size` voxels around the centre."""
    starts = [(have - want) // 2 for have, want in zip(x.shape[1:], size, strict=True)]
    return x[(slice(None), *(slice(s, s + w) for s, w in zip(starts, size, strict=True)))]


def affine_matrix(angles: Sequence[float], zoom: Sequence[float]) -> Tensor:
    """Map from output to input offsets in voxels, axis order ([z,] y, x).

    `angles` in radians: one angle (about z) in 2D, three (about z, y, x) in 3D. `zoom` is one
    factor per axis; above 1 objects get smaller.
    """
    n = len(zoom)
    rotation = torch.eye(n, dtype=torch.float64)
    planes = [(0, 1)] if n == 2 else [(1, 2), (0, 2), (0, 1)]
    for angle, (i, j) in zip(angles, planes, strict=True):
        c, s = float(np.cos(angle)), float(np.sin(angle))
        step = torch.eye(n, dtype=torch.float64)
        step[i, i], step[i, j], step[j, i], step[j, j] = c, -s, s, c
        rotation = rotation @ step
    return rotation * torch.tensor(zoom, dtype=torch.float64)


def resample(
    data: Tensor, seg: Tensor, matrix: Tensor, size: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Resample one sample about its centre to `size` voxels, linearly.

    `data` (c, [z,] y, x) is zero outside. `seg` (1, [z,] y, x) takes the label whose
    interpolated indicator is largest; -1 (nnU-Net's unknown) counts as one, also outside.
    """
    labels = [v for v in torch.unique(seg).tolist() if v >= 0]
    stack = torch.cat([data, *((seg == v).to(data.dtype) for v in labels)])[None]
    # affine_grid works in (x, y[, z]) and in units of half the extent
    to_unit = torch.tensor(seg.shape[1:], dtype=torch.float64)
    scaled = (matrix * torch.tensor(size, dtype=torch.float64) / to_unit[:, None]).flip(0, 1)
    theta = torch.cat([scaled, torch.zeros(len(size), 1, dtype=torch.float64)], 1)
    grid = affine_grid(theta[None].to(data.device, data.dtype), [1, 1, *size], align_corners=False)
    out = grid_sample(stack, grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
    image, indicators = out[: len(data)], out[len(data) :]
    if not labels:
        return image, seg.new_full((1, *size), -1.0)
    best, index = indicators.max(0, keepdim=True)
    label = torch.tensor(labels, dtype=seg.dtype, device=seg.device)[index]
    return image, torch.where(best > 1 - indicators.sum(0), label, torch.full_like(label, -1.0))


def change_contrast(x: Tensor, factor: float) -> Tensor:
    """Stretch the values of one channel about their mean, within the former range."""
    mean = x.mean()
    return ((x - mean) * factor + mean).clamp(x.min(), x.max())


def change_gamma(x: Tensor, gamma: float, invert: bool) -> Tensor:
    """Apply `u ** gamma` to one channel scaled to [0, 1]; mean and deviation are kept."""
    x = -x if invert else x
    low, span = x.min(), x.max() - x.min()
    out = ((x - low) / (span + 1e-7)) ** gamma
    out = (out - out.mean()) / (out.std() + 1e-7) * x.std() + x.mean()
    return -out if invert else out


def lower_resolution(x: Tensor, zoom: float) -> Tensor:
    """Sample one channel ([z,] y, x) at `zoom` times its resolution, and back linearly."""
    mode = "bilinear" if x.ndim == 2 else "trilinear"
    small = [max(1, round(s * zoom)) for s in x.shape]
    coarse = interpolate(x[None, None], size=small, mode="nearest-exact")
    return interpolate(coarse, size=x.shape, mode=mode, align_corners=False)[0, 0]


def targets(seg: Tensor, scales: Sequence[Sequence[float]]) -> list[Tensor]:
    """Labels (b, 1, [z,] y, x) at each deep-supervision scale, by nearest neighbour."""
    out = []
    for scale in scales:
        size = [round(s * f) for s, f in zip(seg.shape[2:], scale, strict=False)]
        same = size == list(seg.shape[2:])
        out.append(seg if same else interpolate(seg, size=size, mode="nearest-exact"))
    return out


class Augmenter:
    """Turns batches of nnU-Net's loaders into augmented network inputs and targets.

    `patch_size` is in voxels, order ([z,] y, x); `params` is nnU-Net's `data_aug_params`;
    `intensity` changes values besides geometry.
    Random numbers come from numpy's and torch's global generators.
    """

    def __init__(
        self,
        patch_size: Sequence[int],
        params: Mapping[str, Any],
        scales: Sequence[Sequence[float]],
        *,
        intensity: bool = True,
    ) -> None:
        self.size = [int(s) for s in patch_size]
        self.params = params
        self.scales = scales
        self.intensity = intensity

    def train(self, data: Tensor, seg: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Augment `data` (b, c, [z,] y, x) and `seg` (b, 1, [z,] y, x), and crop both."""
        pairs = [self._spatial(d, s) for d, s in zip(data, seg, strict=True)]
        data = torch.stack([d for d, _ in pairs])
        seg = torch.stack([s for _, s in pairs])
        if self.intensity:
            for sample in data:
                for channel in range(len(sample)):
                    sample[channel] = self._intensity(sample[channel])
        masked = self.params.get("mask_was_used_for_normalization") or {}
        for channel, use in masked.items():
            if use:
                data[:, channel][seg[:, 0] < 0] = 0
        return data, targets(seg.clamp_min(0), self.scales)

    def plain(self, data: Tensor, seg: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The unaugmented counterpart of `train`, for patches that need no crop."""
        return data, targets(seg.clamp_min(0), self.scales)

    def _spatial(self, data: Tensor, seg: Tensor) -> tuple[Tensor, Tensor]:
        p, n = self.params, len(self.size)
        in_plane = n == 3 and bool(p.get("dummy_2D"))
        angles, zoom = [0.0] * (1 if n == 2 else 3), [1.0] * n
        if p["do_rotation"] and np.random.uniform() < p["p_rot"]:
            if n == 2 or in_plane:
                angles[0] = np.random.uniform(*p["rotation_x"])
            else:
                angles = [np.random.uniform(*p[f"rotation_{a}"]) for a in "xyz"]
        if p["do_scaling"] and np.random.uniform() < p["p_scale"]:
            factor = around_one(*p["scale_range"])
            zoom = [1.0 if in_plane and axis == 0 else factor for axis in range(n)]
        if any(angles) or any(z != 1 for z in zoom):
            data, seg = resample(data, seg, affine_matrix(angles, zoom), self.size)
        else:
            data, seg = centre_crop(data, self.size), centre_crop(seg, self.size)
        if p["do_mirror"]:
            axes = [a + 1 for a in p["mirror_axes"] if np.random.uniform() < 0.5]
            data, seg = data.flip(axes), seg.flip(axes)
        return data, seg

    def _intensity(self, x: Tensor) -> Tensor:
        def chance(probability: float) -> bool:
            return bool(np.random.uniform() < probability)

        if chance(0.1):
            x = x + torch.randn_like(x) * np.random.uniform(0, 0.1)
        if chance(0.15):
            x = x * np.random.uniform(0.75, 1.25)
        if chance(0.15):
            x = change_contrast(x, np.random.uniform(0.75, 1.25))
        if chance(0.125):
            x = lower_resolution(x, np.random.uniform(0.5, 1))
        if chance(0.1):
            x = change_gamma(x, around_one(*self.params["gamma_range"]), invert=True)
        if self.params["do_gamma"] and chance(self.params["p_gamma"]):
            x = change_gamma(x, around_one(*self.params["gamma_range"]), invert=False)
        return x
