"""What a job reports to its study, and when it is ended."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnplug.errors import Pruned
from nnplug.runs import EpochReport, RunInfo
from nnplug.search import Interval, Outcome, Problem
from nnplug_optuna import plugin, pruning, study
from nnplug_optuna.options import OptunaOptions
from nnplug_optuna.search import OptunaSearch

LABELS = ("shell", "core")
PRUNER = {"pruner": "median", "pruner_options": {"n_startup_trials": 1}}
Report = Callable[..., None]


def epoch(number: int, dice: list[float], loss: float = 0.5) -> EpochReport:
    return EpochReport(number, 10, loss / 2, loss, dice, 0.1, 1.0)


@pytest.mark.parametrize(
    ("objective", "dice", "value"),
    [
        ("val_dice", [0.2, 0.4], 0.3),
        ("dice", [math.nan, 0.4], 0.4),
        ("dice.core", [0.2, 0.4], 0.4),
        ("loss", [0.2, 0.4], 0.5),
        ("train_loss", [0.2, 0.4], 0.25),
        ("val_dice", [0.3], 0.3),
    ],
)
def test_the_objective_as_an_epoch_has_it(objective: str, dice: list[float], value: float) -> None:
    assert pruning.figure(objective, LABELS, epoch(1, dice)) == pytest.approx(value)


@pytest.mark.parametrize(("objective", "dice"), [("dice.core", [0.3]), ("val_dice", [math.nan])])
def test_an_epoch_may_not_have_it(objective: str, dice: list[float]) -> None:
    assert math.isnan(pruning.figure(objective, LABELS, epoch(1, dice)))


@pytest.fixture
def search(tmp_path: Path) -> OptunaSearch:
    """A search with a trial of Dice 0.5 in its first epoch, and 0.6 in its second."""
    made = OptunaSearch(OptunaOptions(sampler="random", **PRUNER))  # type: ignore[arg-type]
    made.open(Problem(tmp_path, {"lr": Interval(0, 1)}, {"val_dice": True}))
    first = made.ask()
    assert first is not None
    report(tmp_path, first.number, [0.5], [0.6])
    made.tell(first, Outcome("done", (0.6,)))
    return made


def report(folder: Path, number: int, *epochs: list[float], **more: Any) -> None:
    """What the job of that trial does after each epoch."""
    config = {
        "objective": "val_dice",
        "sweep": {"dir": str(folder), "search": {"name": "optuna", "trial": number, **PRUNER}},
    }
    config["sweep"]["search"].update(more)  # type: ignore[index]
    run = RunInfo("1", "train", "a", folder, config, LABELS, False)
    for count, dice in enumerate(epochs, start=1):
        plugin.nnplug_epoch_end(run, epoch(count, dice))


def test_a_bad_trial_is_ended(search: OptunaSearch, tmp_path: Path) -> None:
    bad = search.ask()
    assert bad is not None
    with pytest.raises(Pruned, match=r"median pruner: val_dice 0.3 at epoch 1"):
        report(tmp_path, bad.number, [0.3])
    search.tell(bad, Outcome("pruned"))
    found = study.load(tmp_path, OptunaOptions()).trials[bad.number]
    assert (found.state.name, found.intermediate_values) == ("PRUNED", {1: 0.3})


def test_a_good_trial_goes_on(search: OptunaSearch, tmp_path: Path) -> None:
    good = search.ask()
    assert good is not None
    report(tmp_path, good.number, [0.55], [0.65], [math.nan])
    found = study.load(tmp_path, OptunaOptions()).trials[good.number]
    assert found.intermediate_values == {1: 0.55, 2: 0.65}


def test_a_run_that_is_repeated_is_left_alone(search: OptunaSearch, tmp_path: Path) -> None:
    """Its trial is finished: ``nnplug rerun`` has the configuration of a job."""
    pruning._known.clear()
    report(tmp_path, 0, [0.1], [0.1])
    found = study.load(tmp_path, OptunaOptions()).trials[0]
    assert found.intermediate_values == {1: 0.5, 2: 0.6}


@pytest.mark.parametrize("more", [{"trial": None}, {"pruner": "none"}, {"name": "other"}])
def test_other_runs_are_left_alone(tmp_path: Path, more: dict[str, Any]) -> None:
    report(tmp_path, 0, [0.1], **more)
    assert list(tmp_path.iterdir()) == []
