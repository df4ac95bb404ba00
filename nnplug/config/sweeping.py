"""The keys ``sweep``, ``parallel`` and ``objective``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nnplug.config.build import build
from nnplug.errors import ConfigError

VAL_DICE = "val_dice"
FIGURES = (VAL_DICE, "loss", "train_loss", "seconds")
# Of nnU-Net's summary.json, the mean over the labels, or METRIC.LABEL.
METRICS = (
    *("dice", "jaccard", "precision", "recall", "accuracy"),
    *("false_positive_rate", "false_negative_rate", "false_discovery_rate"),
    *("false_omission_rate", "negative_predictive_value", "true_negative_rate"),
)


@dataclass(frozen=True)
class Sweep:
    """``sweep``: where the jobs of ``-m`` run, and how.

    Attributes:
        dir: the folder of the sweep; None takes one named by the time.
        engine: ``local``, ``slurm`` or ``ray``.
        jobs: at once on this machine; None: one, or as many as ``gpus`` or ``cores`` allow; -1:
            one a core.
        retry: how often a job that failed is tried again.
        gpus: of this machine, for the jobs; each gets ``per_job`` of them.
        cores: the same with CPU cores.
        per_job: how many of them a job gets.
        options: of the engine.
    """

    dir: Path | None = None
    engine: Literal["local", "slurm", "ray"] = "local"
    jobs: int | None = None
    retry: int = 0
    gpus: list[int] | None = None
    cores: list[int] | None = None
    per_job: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.jobs is not None and self.jobs != -1 and self.jobs < 1:
            raise ValueError(f"jobs must be at least 1, or -1 for one a core, not {self.jobs}")
        if self.retry < 0:
            raise ValueError(f"retry must be at least 0, not {self.retry}")
        if self.gpus is not None and self.cores is not None:
            raise ValueError("give gpus or cores, not both")
        ids = self.gpus if self.gpus is not None else self.cores
        if ids is None:
            return
        if len(set(ids)) < len(ids) or not ids or min(ids) < 0:
            raise ValueError(f"gpus and cores are different numbers, not {ids}")
        if not 1 <= self.per_job <= len(ids):
            raise ValueError(f"per_job must be 1 to {len(ids)}, not {self.per_job}")

    @property
    def slots(self) -> dict[str, Any] | None:
        """What a job has to take before it starts, as plain data."""
        ids = self.gpus if self.gpus is not None else self.cores
        if ids is None:
            return None
        return {"kind": "gpu" if self.gpus else "core", "ids": ids, "count": self.per_job}


def sweep_settings(config: Mapping[str, Any]) -> Sweep:
    """The settings below ``sweep``; raises ConfigError."""
    known = set(Sweep.__dataclass_fields__)
    values = config.get("sweep") or {}
    # A sweeper's own keys are its concern.
    return build(Sweep, {key: values[key] for key in values if key in known}, "sweep")


@dataclass(frozen=True)
class Parallel(Sweep):
    """``parallel``: where the cases of one verb are worked on; a sweep whose jobs are shards.

    Attributes:
        shards: in how many parts the cases are dealt out; 1 leaves them to this process.
    """

    shards: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shards < 1:
            raise ValueError(f"shards must be at least 1, not {self.shards}")
        if self.gpus is not None:
            raise ValueError("shards take no gpus; give cores")


def parallel_settings(config: Mapping[str, Any]) -> Parallel:
    """The settings below ``parallel``; raises ConfigError."""
    return build(Parallel, config.get("parallel") or {}, "parallel")


def objectives(value: Any) -> tuple[str, ...]:
    """The names in ``objective``: one, or a list of several."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence) and value and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise ConfigError(
        f"a name or a list of names is wanted here, not {value!r}",
        where="objective",
        hint="objective=val_dice",
    )


def more_is_better(name: str) -> bool:
    """Whether a figure is the better the larger it is."""
    return name not in ("loss", "train_loss", "seconds") and not name.startswith("false_")


def check_objective(value: Any, labels: Sequence[str], key: str = "objective") -> None:
    """Raise a ConfigError for a figure that a training does not give."""
    for name in objectives(value):
        metric, _, label = name.partition(".")
        known = metric in METRICS and label in ("", *labels)
        if name not in FIGURES and not known:
            raise ConfigError(
                f"there is no figure {name!r}",
                where=key,
                hint=f"one of {', '.join((*FIGURES, *METRICS))}, the latter also as METRIC.LABEL "
                f"with {', '.join(labels)}",
            )
