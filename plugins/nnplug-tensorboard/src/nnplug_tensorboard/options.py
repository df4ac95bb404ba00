"""The tracker's options; importing this loads nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TensorboardOptions:
    """Below ``tracking=[{tensorboard: {...}}]``.

    Attributes:
        folder: holds a folder a run, named as the run is; None writes into the run's own
            folder ``tensorboard``.
    """

    folder: Path | None = None
