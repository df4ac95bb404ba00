"""How much memory this process has taken at most."""

from __future__ import annotations

import resource
import sys

MIB = 1 << 20
_UNIT = 1 if sys.platform == "darwin" else 1 << 10  # getrusage(2): bytes there, KiB on Linux


def peak() -> float:
    """MiB of main memory, workers not counted."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT / MIB


def gpu_peak() -> float | None:
    """MiB of tensors on all GPUs together; None without a GPU."""
    import torch

    if not torch.cuda.is_available():
        return None
    devices = range(torch.cuda.device_count())
    return sum(torch.cuda.max_memory_allocated(device) for device in devices) / MIB
