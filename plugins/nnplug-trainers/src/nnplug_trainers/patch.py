"""A patch that a CPU can afford."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def capped(patch: Sequence[int], pools: Sequence[Sequence[int]], voxels: int) -> NDArray[np.int64]:
    """Shrink a patch until it holds at most ``voxels`` voxels, or can't be shrunk further.

    Args:
        patch: the planned edges in voxels, z, y, x (or y, x).
        pools: the pooling of each stage, in the same order; an edge stays a multiple of its
            product over the stages, and at least twice that.

    Returns:
        Edges of about the planned proportions.
    """
    planned = np.array(patch, dtype=np.int64)
    steps = np.prod(np.array(pools, dtype=np.int64), axis=0)
    edges = planned.copy()
    while edges.prod() > voxels:
        able = edges - steps >= 2 * steps
        if not able.any():
            break
        share = np.where(able, edges / planned, -1.0)
        longest = np.where(share == share.max(), edges, -1)
        edges[int(longest.argmax())] -= steps[int(longest.argmax())]
    return edges
