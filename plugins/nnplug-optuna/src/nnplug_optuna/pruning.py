"""In the process of a job: the epochs are reported to the study, and the pruner is asked."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from optuna.trial import Trial, TrialState

from nnplug.errors import ConfigError, Pruned
from nnplug.runs import EpochReport, RunInfo
from nnplug_optuna import study
from nnplug_optuna.options import OptunaOptions

MEAN_DICE = ("val_dice", "dice")
LOSSES = {"loss": "val_loss", "train_loss": "train_loss"}


def check(objectives: Sequence[str]) -> None:
    """Raise a ConfigError for objectives that can't be pruned by."""
    where = "sweep.search.pruner"
    if len(objectives) > 1:
        raise ConfigError("trials with several objectives can't be pruned", where=where)
    (name,) = objectives
    if name not in (*MEAN_DICE, *LOSSES) and not name.startswith("dice."):
        raise ConfigError(
            f"an epoch has no {name} to prune by",
            where=where,
            hint=f"objective: one of {', '.join((*MEAN_DICE, *LOSSES))}, dice.LABEL",
        )


def look(run: RunInfo, epoch: EpochReport) -> None:
    """Report the epoch.

    Raises:
        Pruned: the pruner wants the training to end.
    """
    search = run.config["sweep"]["search"]
    name = str(run.config["objective"])
    value = figure(name, run.labels, epoch)
    trial = _trial(Path(run.config["sweep"]["dir"]), search["trial"], _options(search))
    if trial is None or not math.isfinite(value):
        return
    trial.report(value, epoch.epoch)
    if trial.should_prune():
        raise Pruned(f"the {search['pruner']} pruner: {name} {value:.4g} at epoch {epoch.epoch}")


def figure(name: str, labels: Sequence[str], epoch: EpochReport) -> float:
    """The objective as an epoch has it; NaN if it doesn't."""
    if name in LOSSES:
        return float(getattr(epoch, LOSSES[name]))
    if name in MEAN_DICE:
        known = [value for value in epoch.dice if math.isfinite(value)]
        return statistics.fmean(known) if known else math.nan
    by_label = dict(zip(labels, epoch.dice, strict=False)) if len(epoch.dice) == len(labels) else {}
    return by_label.get(name.partition(".")[2], math.nan)


def _options(search: Mapping[str, Any]) -> OptunaOptions:
    known = [field.name for field in fields(OptunaOptions)]
    return OptunaOptions(**{key: search[key] for key in known if search.get(key) is not None})


_known: dict[tuple[Path, int], Trial | None] = {}


def _trial(folder: Path, number: int, options: OptunaOptions) -> Trial | None:
    """The trial of this process; None if it is finished: the run is repeated, say."""
    key = (folder, number)
    if key not in _known:
        found = study.load(folder, options)
        trials = found.get_trials(deepcopy=False)
        running = number < len(trials) and trials[number].state == TrialState.RUNNING
        _known[key] = Trial(found, trials[number]._trial_id) if running else None
    return _known[key]
