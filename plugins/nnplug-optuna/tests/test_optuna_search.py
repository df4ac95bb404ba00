"""What is proposed, what becomes of it in the study, and who works on what."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest

from nnplug.errors import ConfigError
from nnplug.search import Choices, Interval, Outcome, Problem, Proposal
from nnplug_optuna import study
from nnplug_optuna.options import OptunaOptions
from nnplug_optuna.search import OptunaSearch

SPACE: dict[str, Choices | Interval] = {
    "lr": Interval(1e-3, 1e-1, log=True),
    "features": Choices(("8", "16")),
    "depth": Interval(2, 6, whole=True, step=2),
}
Begin = Callable[..., OptunaSearch]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """``begin(sampler="random")`` opens the search of a folder, as another worker would."""

    def open_(
        space: Mapping[str, Choices | Interval] = SPACE,
        objectives: Mapping[str, bool] | None = None,
        constraints: tuple[str, ...] = (),
        **options: Any,
    ) -> OptunaSearch:
        search = OptunaSearch(OptunaOptions(**options))
        search.open(Problem(tmp_path, space, objectives or {"val_dice": True}, constraints))
        return search

    return open_


def done(*objectives: float, **constraints: float) -> Outcome:
    return Outcome("done", objectives, constraints)


def asked(search: OptunaSearch) -> Proposal:
    proposal = search.ask()
    assert proposal is not None
    return proposal


def trials(folder: Path, options: OptunaOptions | None = None) -> list[optuna.trial.FrozenTrial]:
    """By Optuna itself."""
    return study.load(folder, options or OptunaOptions()).trials


@pytest.mark.parametrize("storage", ["journal", "sqlite"])
@pytest.mark.parametrize("sampler", ["tpe", "random", "nsgaii", "qmc"])
def test_proposals_lie_in_the_space(
    begin: Begin, tmp_path: Path, sampler: str, storage: str
) -> None:
    options: dict[str, Any] = {"sampler": sampler, "storage": storage, "seed": 1, "trials": 3}
    search = begin(**options)
    for number in range(3):
        proposal = asked(search)
        assert proposal.number == number
        assert 1e-3 <= float(proposal.values["lr"]) <= 1e-1
        assert proposal.values["features"] in ("8", "16")
        assert proposal.values["depth"] in (2, 4, 6)
        search.tell(proposal, done(0.5 + number / 10))
    assert search.ask() is None
    found = trials(tmp_path, OptunaOptions(**options))
    assert [trial.value for trial in found] == [0.5, 0.6, 0.7]
    assert [best.number for best in search.best()] == [2]


def test_an_interval_is_sampled_by_its_logarithm(begin: Begin) -> None:
    search = begin(sampler="random", seed=3, trials=100)
    values = [float(asked(search).values["lr"]) for _ in range(100)]
    assert 35 < sum(value < 1e-2 for value in values) < 65


def test_a_grid_is_every_combination_once(begin: Begin) -> None:
    space = {"a": Choices(("x", "[1, 2]")), "b": Interval(0.1, 0.3, step=0.1)}
    search = begin(space=space, sampler="grid")
    found = []
    while (proposal := search.ask()) is not None:
        found.append((proposal.values["a"], round(float(proposal.values["b"]), 9)))
        search.tell(proposal, done(1.0))
    assert sorted(found) == sorted((a, b) for a in ("x", "[1, 2]") for b in (0.1, 0.2, 0.3))
    with pytest.raises(ConfigError, match="an interval"):
        begin(sampler="grid")


def test_less_can_be_better(begin: Begin) -> None:
    search = begin(objectives={"loss": False}, sampler="random")
    for value in (0.3, 0.1, 0.2):
        search.tell(asked(search), done(value))
    assert [best.number for best in search.best()] == [1]


def test_several_objectives_have_several_best(begin: Begin) -> None:
    search = begin(objectives={"val_dice": True, "seconds": False}, sampler="tpe", seed=0)
    for values in ((0.9, 50.0), (0.8, 60.0), (0.7, 10.0)):
        search.tell(asked(search), done(*values))
    assert sorted(best.number for best in search.best()) == [0, 2]


def test_what_breaks_a_constraint_is_not_the_best(begin: Begin) -> None:
    search = begin(constraints=("seconds",), sampler="tpe", seed=0)
    search.tell(asked(search), done(0.9, seconds=5.0))
    search.tell(asked(search), done(0.6, seconds=-1.0))
    assert [best.number for best in search.best()] == [1]


def test_pruned_and_failed_trials(begin: Begin, tmp_path: Path) -> None:
    search = begin(sampler="random", trials=3)
    first = asked(search)
    search.tell(first, Outcome("failed"))
    search.tell(asked(search), Outcome("pruned"))
    search.tell(asked(search), done(0.5))
    assert search.ask() is None, "a trial that failed is spent"
    assert [trial.state.name for trial in trials(tmp_path)] == ["FAIL", "PRUNED", "COMPLETE"]
    later = begin(sampler="random", trials=3)
    again = asked(later)
    assert (again.number, again.values) == (3, first.values)
    later.tell(again, done(0.4))
    assert later.ask() is None


def test_a_worker_goes_on_with_what_another_left(begin: Begin, tmp_path: Path) -> None:
    first = begin(sampler="random", trials=2)
    begun = asked(first)
    second = begin(sampler="random", trials=2)
    other = asked(second)
    assert other.number == 1, "the first is being worked on"
    assert second.ask() is None
    first._claims.leave(begun.number)  # as if its process were gone
    third = begin(sampler="random", trials=2)
    assert third.ask() == begun
    third.tell(begun, done(0.5))
    second.tell(other, done(0.6))
    assert third.ask() is None
    assert [trial.value for trial in trials(tmp_path)] == [0.5, 0.6]


def test_a_trial_that_was_being_made_is_given_up(begin: Begin, tmp_path: Path) -> None:
    begin(sampler="random")
    study.load(tmp_path, OptunaOptions()).ask()  # without values
    search = begin(sampler="random", trials=1)
    assert asked(search).number == 1
    assert trials(tmp_path)[0].state.name == "FAIL"


def test_a_journal_whose_writer_was_killed_can_be_written(begin: Begin, tmp_path: Path) -> None:
    search = begin(sampler="random")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom nnplug_optuna.study import _Lock\n"
        "_Lock(Path(sys.argv[1])).acquire()\nos.kill(os.getpid(), 9)"
    )
    done_ = subprocess.run([sys.executable, "-c", code, str(tmp_path / "study.journal")])
    assert done_.returncode == -9
    began = time.monotonic()
    assert search.ask() is not None
    assert time.monotonic() - began < 5


def test_a_seed_repeats_a_search_and_going_on_does_not(begin: Begin, tmp_path: Path) -> None:
    workers = [begin(sampler="random", seed=7)]
    first = [asked(workers[0]).values]
    workers.append(begin(sampler="random", seed=7))
    first.append(asked(workers[1]).values)
    assert first[0] != first[1]
    other = OptunaSearch(OptunaOptions(sampler="random", seed=7))
    other.open(Problem(tmp_path / "other", SPACE, {"val_dice": True}))
    assert asked(other).values == first[0]


@pytest.mark.parametrize(
    ("options", "objectives", "words"),
    [
        ({"sampler_options": {"startup": 3}}, ["val_dice"], "TPESampler can't be made"),
        ({"pruner": "median", "pruner_options": {"x": 1}}, ["val_dice"], "MedianPruner can't"),
        ({"pruner": "median"}, ["val_dice", "seconds"], "several objectives can't be pruned"),
        ({"pruner": "median"}, ["jaccard"], "an epoch has no jaccard"),
    ],
)
def test_what_does_not_go_together(
    begin: Begin, options: dict[str, Any], objectives: list[str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        begin(objectives=dict.fromkeys(objectives, True), **options)


def test_a_sampler_whose_package_is_missing(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="cmaes"):
        begin(sampler="cmaes")
