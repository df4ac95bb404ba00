"""The tracker's options; importing this loads nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class WandbOptions:
    """Below ``tracking=[{wandb: {...}}]``.

    Attributes:
        project: of W&B.
        mode: ``offline`` writes into the run's folder, for ``wandb sync``; ``online`` sends, with
            the key from ``WANDB_API_KEY`` or ``wandb login``.
        entity: the user or team; None takes W&B's default.
    """

    project: str = "nnplug"
    mode: Literal["offline", "online"] = "offline"
    entity: str | None = None
