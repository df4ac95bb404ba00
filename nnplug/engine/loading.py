"""How many augmentation workers memory suffices for."""

from __future__ import annotations

import math
from typing import Any

LABELS = 1.4  # deep supervision: 1 + 1/4 + 1/16 + ... of the full resolution, in 2d
COPIES = 3  # of its batch in a worker: loaded, transformed, passed on
RESERVE = 0.9


def workers(trainer: Any, wanted: int, memory: int, shared: int | None) -> int:
    """At most ``wanted`` workers, as many as memory and shared memory suffice for; at least 1.

    batchgenerators keeps ``num_cached_per_thread`` finished batches a worker, and half as many
    again in the main process, all in shared memory. Validation has half as many workers.

    Args:
        trainer: after ``setup_DA_params``.
        wanted: the number that is asked for.
        memory: free bytes.
        shared: free bytes of ``/dev/shm``; None where there is none.
    """
    voxels = trainer.batch_size * math.prod(map(int, trainer.patch_size))
    loaded = trainer.batch_size * math.prod(map(int, trainer.basic_generator_patch_size))
    finished = 4 * voxels * (trainer.num_input_channels + LABELS)
    made = 4 * loaded * (trainer.num_input_channels + 1)
    cached = int(trainer.data_aug_params.get("num_cached_per_thread", 2))

    def suffice(count: int) -> bool:
        halves = (count, max(1, count // 2))
        passed = finished * sum(n * (cached + 1) + max(3, cached * n // 2) for n in halves)
        needed = passed + COPIES * made * sum(halves)
        return needed <= RESERVE * memory and (shared is None or passed <= RESERVE * shared)

    return max((count for count in range(1, wanted + 1) if suffice(count)), default=1)
