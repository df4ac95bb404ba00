"""How many cases fit into memory at once."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from nnplug.config import resources
from nnplug.types import CaseSource

EXPANSION = 4
VOLUMES = 3


def workers(cases: Iterable[CaseSource]) -> int:
    """How many workers the free memory suffices for; at least 1.

    A worker may hold :data:`VOLUMES` copies of its case. How large the largest case is
    unpacked is only known once it is read; its files are taken times :data:`EXPANSION`, which
    is more than lossless compression of 16-bit scans gains.
    """
    largest = max((sum(map(_bytes, _images(case))) for case in cases), default=0)
    need = VOLUMES * EXPANSION * max(largest, 1)
    return max(1, resources.memory() // need)


def _images(case: CaseSource) -> set[str]:
    return {*map(str, case.images), *map(str, case.details.get("files", ()))}


def _bytes(path: str) -> int:
    try:
        status = os.stat(path)
    except OSError:
        return 0
    if stat.S_ISDIR(status.st_mode):
        return sum(inner.stat().st_size for inner in Path(path).rglob("*") if inner.is_file())
    return status.st_size
