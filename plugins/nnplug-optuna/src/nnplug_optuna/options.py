"""The keys below ``sweep.search``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class OptunaOptions:
    """How Optuna goes about it.

    Attributes:
        trials: how many there are to be in the study, those that failed not counted.
        sampler: who proposes.
        sampler_options: of Optuna's class, e.g. ``{n_startup_trials: 20}``.
        pruner: who ends a training that isn't worth going on with.
        pruner_options: of Optuna's class, e.g. ``{n_warmup_steps: 10}``.
        storage: a file in the sweep's folder: ``journal`` for any file system, also for many
            workers, or ``sqlite`` for a local one.
        seed: of the sampler; None takes another one each time.
    """

    trials: int = 50
    sampler: Literal["tpe", "random", "grid", "nsgaii", "cmaes", "gp", "qmc"] = "tpe"
    sampler_options: Mapping[str, Any] = field(default_factory=dict)
    pruner: Literal["none", "median", "halving", "hyperband"] = "none"
    pruner_options: Mapping[str, Any] = field(default_factory=dict)
    storage: Literal["journal", "sqlite"] = "journal"
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"trials must be at least 1, not {self.trials}")
