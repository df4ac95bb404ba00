"""Searches with Optuna."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import contract
import psutil
import pytest

pytest.importorskip("optuna")
GRID = ("sweep=optuna", "sweep.search.sampler=grid", "sweep.jobs=2")
SEARCH = ("sweep=optuna", "sweep.search.sampler=random")


@pytest.fixture
def engine(naps: Callable[..., Any]) -> Any:
    return naps(*GRID)


def kill_tree(process: Any) -> None:
    tree = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for one in tree:
        one.kill()


@pytest.mark.parametrize("storage", ["journal", pytest.param("sqlite", marks=pytest.mark.slow)])
def test_results_are_equal_and_nothing_is_done_twice(
    naps: Callable[..., Any], storage: str
) -> None:
    engine = naps(*GRID, f"sweep.search.storage={storage}")
    contract.results_are_equal(engine)
    swept = engine.run(contract.NUMBERS, "paths.root=./", "+workers=7")
    assert swept.code == 0, swept.err
    assert "best of the search: number=1" in swept.err
    assert set(engine.starts().values()) == {1}


def test_bad_jobs_cost_themselves_only(engine: Any) -> None:
    contract.bad_jobs_cost_themselves_only(engine)


@pytest.mark.slow
def test_failed_jobs_are_tried_again(engine: Any) -> None:
    contract.failed_jobs_are_tried_again(engine)


@pytest.mark.slow
def test_a_killed_sweep_goes_on(engine: Any) -> None:
    contract.a_killed_sweep_goes_on(engine, contract.kill_command)


def test_a_whole_killed_tree_goes_on(engine: Any) -> None:
    contract.a_killed_sweep_goes_on(engine, kill_tree)
    assert len(list(engine.folder.glob(".trials/*.lock"))) == 3, "the trials were begun again"


def test_bad_trials_are_pruned(
    naps: Callable[..., Any], command: Callable[..., tuple[int, str, str]]
) -> None:
    """Each number's Dice is below those before it, in every epoch."""
    pruner = "sweep.search.pruner=median", "sweep.search.pruner_options={n_startup_trials: 1}"
    engine = naps("sweep=optuna", "sweep.search.sampler=grid", *pruner)
    swept = engine.run(contract.NUMBERS)
    assert swept.code == 0, swept.err
    first, *others = engine.states().values()
    assert first["status"] == "done"
    assert [state["status"] for state in others] == ["pruned"] * 3
    assert all("median pruner" in state["error"] for state in others)
    assert all("at epoch 1" in state["error"] for state in others)
    _, out, _ = command("sweep", "status", str(engine.folder), "--json")
    assert Counter(job["status"] for job in json.loads(out)) == {"done": 1, "pruned": 3}
    _, out, _ = command("sweep", "table", str(engine.folder))
    assert out.count("pruned") == 3


def test_several_objectives_and_a_constraint(naps: Callable[..., Any]) -> None:
    """The losses are equal; the best Dice is out of bounds."""
    engine = naps(*GRID, "objective=[val_dice,loss]")
    bounds = "sweep.search.constraints={val_dice: {high: 0.4}}"
    swept = engine.run("number=1,2,3", bounds)
    assert swept.code == 0, swept.err
    assert swept.err.count("best of the search") == 1
    assert "best of the search: number=2" in swept.err


@pytest.mark.parametrize(
    ("sampler", "package", "mark"),
    [("cmaes", "cmaes", "cma:"), pytest.param("gp", "torch", "gp:", marks=pytest.mark.slow)],
)
def test_samplers_with_a_model_of_the_figures(
    naps: Callable[..., Any], sampler: str, package: str, mark: str
) -> None:
    """After two trials at random they propose the third themselves."""
    pytest.importorskip(package)
    options = (
        f"sweep.search.sampler={sampler}",
        "sweep.search.sampler_options={n_startup_trials: 2}",
    )
    search = naps("sweep=optuna", *options, "sweep.search.trials=3")
    swept = search.run("number=int(interval(1,1000))", "seconds=interval(0.0,0.01)")
    assert swept.code == 0, swept.err
    trials = _trials(search.folder)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    own = [any(key.startswith(mark) for key in trial.system_attrs) for trial in trials]
    assert own == [False, False, True]


def _trials(folder: Path) -> Any:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    return optuna.load_study(study_name="nnplug", storage=storage).get_trials()


def test_several_workers_on_one_study(naps: Callable[..., Any]) -> None:
    search = naps(*SEARCH, "sweep.search.trials=6")
    words = ("number=int(interval(1,1000000))", "seconds=0.5")
    workers = [search.start(*words) for _ in range(2)]
    for worker in workers:
        _, err = worker.communicate(timeout=120)
        assert worker.returncode == 0, err
    assert len(search.states()) == 6
    assert set(search.starts().values()) == {1}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "what is searched?"),
        (("fold=tag(sqrt, interval(1, 2))",), "the tag 'sqrt' means nothing"),
        (("fold=tag(log, interval(0, 2))",), "0.0 has no logarithm"),
        (("trainer.initial_lr=interval(1, 2)", "sweep.search.sampler=grid"), "not an interval"),
        (("fold=1,2", "sweep.search.sampler=tpa"), "sampler"),
        (("fold=1,2", "+sweep.search.pruners=median"), "sweep.search.pruner"),
        (("fold=1,2", "sweep.search.trials=0"), "at least 1"),
        (("fold=1,2", "sweep.search.constraints={secs: {high: 3}}"), "no figure 'secs'"),
        (("fold=1,2", "sweep.search.constraints={seconds: {}}"), "low or high"),
        (("fold=1,2", "hydra/launcher=basic"), "by nnplug itself"),
    ],
)
def test_mistakes_are_told(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    search = ("train", "-m", "dataset=hippocampus", *SEARCH, f"sweep.dir={tmp_path}")
    code, _, err = command(*search, *words)
    assert code == 2, err
    assert said in err
    assert not list(tmp_path.glob("*/config.json"))


def test_a_folder_keeps_to_its_search(naps: Callable[..., Any]) -> None:
    search = naps(*SEARCH, "sweep.search.trials=1")
    assert search.run("number=1,2").code == 0
    swept = search.run("number=1,2,3")
    assert swept.code == 2
    assert "another space" in swept.err
    swept = search.run("number=1,2", "seconds=0.1")
    assert "another configuration" in swept.err
