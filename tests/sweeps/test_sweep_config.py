"""What names a job, what a sweep's keys may say, and the table of results."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnplug.config.searching import search_settings
from nnplug.config.sweeping import check_objective, more_is_better, sweep_settings
from nnplug.errors import ConfigError
from nnplug.sweeps import table
from nnplug.sweeps.jobs import Job, job_name, of

CONFIG: dict[str, Any] = {
    "paths": {"root": "/a"},
    "workers": 4,
    "resume": False,
    "fold": 0,
    "trainer": {"name": "v2", "epochs": 3, "gpus": None},
    "dataset": {"name": "A", "source": "data"},
    "sweep": {"retry": 0},
}


@pytest.mark.parametrize(
    "change",
    [
        {"paths": {"root": "b"}},
        {"workers": 1, "resume": True, "device": "cpu"},
        {"trainer": {"name": "v2", "epochs": 3, "gpus": [1]}},
        {"sweep": {"retry": 3}, "objective": "loss"},
        {"dataset": {"name": "A", "source": str(Path("data").absolute())}},
    ],
)
def test_where_and_how_fast_a_job_runs_does_not_name_it(change: dict[str, Any]) -> None:
    assert job_name("train", {**CONFIG, **change}) == job_name("train", CONFIG)


@pytest.mark.parametrize(
    ("verb", "change"),
    [
        ("plan", {}),
        ("train", {"fold": 1}),
        ("train", {"trainer": {"name": "v2", "epochs": 4, "gpus": None}}),
        ("train", {"dataset": {"name": "A", "source": "other"}}),
    ],
)
def test_what_a_result_comes_from_names_it(verb: str, change: dict[str, Any]) -> None:
    assert job_name(verb, {**CONFIG, **change}) != job_name("train", CONFIG)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"jobs": 0}, "jobs"),
        ({"retry": -1}, "retry"),
        ({"gpus": [0], "cores": [0]}, "not both"),
        ({"gpus": [0, 0]}, "different numbers"),
        ({"cores": [0, 1], "per_job": 3}, "1 to 2"),
        ({"engine": "pbs"}, "can't be used"),
    ],
)
def test_settings_that_make_no_sense(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        sweep_settings({"sweep": values})


@pytest.mark.parametrize("name", ["val_dice", "loss", "dice.core", "jaccard", ["loss", "seconds"]])
def test_objectives_that_a_training_gives(name: str | list[str]) -> None:
    check_objective(name, ["shell", "core"])


@pytest.mark.parametrize("name", ["accurracy", "dice.liver", "loss.core", [], 3])
def test_objectives_that_it_does_not(name: Any) -> None:
    with pytest.raises(ConfigError):
        check_objective(name, ["shell", "core"])


@pytest.fixture
def swept(tmp_path: Path) -> Callable[[dict[str, float]], Path]:
    """``swept({"lr=1 fold=0": 0.8})`` writes done jobs with that Dice."""

    def write(dice: dict[str, float]) -> Path:
        for number, (overrides, value) in enumerate(dice.items()):
            config = {"overrides": overrides}
            job = Job.prepare(tmp_path, "train", config, overrides.split(), {"made": number})
            job.change(status="done", metrics={"val_dice": value})
        return tmp_path

    return write


def test_folds_are_averaged(swept: Callable[..., Path]) -> None:
    dice = {"lr=1 fold=0": 0.5, "lr=1 fold=1": 0.7, "lr=2 fold=0": 0.8, "lr=2 fold=1": 0.9}
    first, second = table.means(table.rows(of(swept(dice))))
    assert (first.varied, second.varied) == ({"lr": "1"}, {"lr": "2"})
    assert first.mean["val_dice"] == pytest.approx(0.6)
    assert first.sd["val_dice"] == pytest.approx(statistics.stdev([0.5, 0.7]))


def test_repeats_are_averaged_over_their_folds_means(swept: Callable[..., Path]) -> None:
    dice = {"seed=1 fold=0": 0.5, "seed=1 fold=1": 0.7, "seed=2 fold=0": 0.8, "seed=2 fold=1": 0.9}
    (one,) = table.means(table.rows(of(swept(dice))))
    assert one.jobs == one.done == 4
    assert one.mean["val_dice"] == pytest.approx((0.6 + 0.85) / 2)
    assert one.sd["val_dice"] == pytest.approx(statistics.stdev([0.6, 0.85]))


def test_the_table_as_files(
    swept: Callable[..., Path], tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    folder = swept({"lr=1 fold=0": 0.5, "lr=1 fold=1": 0.7, "lr=2 fold=0": 0.8})
    Job.prepare(folder, "train", {"overrides": "x"}, ["lr=2", "fold=1"], {"made": 9})
    code, out, _ = command("sweep", "table", str(folder), "--csv", str(tmp_path / "t.csv"))
    assert code == 0
    assert "0.6 ± 0.14" in out
    assert "1 of 2" in out
    with (tmp_path / "t.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["lr"], row["fold"], row["val_dice"]) for row in rows] == [
        ("1", "0", "0.5"),
        ("1", "1", "0.7"),
        ("2", "0", "0.8"),
        ("2", "1", ""),
    ]
    assert [row["status"] for row in rows] == ["done"] * 3 + ["waiting"]
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_jobs(
    tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, err = command("sweep", "status", str(tmp_path))
    assert code == 5
    assert "no job of a sweep" in err


def test_lists_are_shown_as_they_are(
    swept: Callable[..., Path], command: Callable[..., tuple[int, str, str]]
) -> None:
    folder = swept({"axes=[z,y]": 0.5, "axes=[]": 0.7})
    for what in ("status", "table"):
        _, out, _ = command("sweep", what, str(folder))
        assert "[z,y]" in out


@pytest.mark.parametrize(
    ("bounds", "value", "broken"),
    [
        ({"high": 3}, 4.0, 1.0),
        ({"high": 3}, 1.0, -2.0),
        ({"low": 3}, 1.0, 2.0),
        ({"low": 1, "high": 3}, 2.5, -0.5),
        ({"low": 1, "high": 3}, 0.5, 0.5),
    ],
)
def test_how_far_a_figure_is_outside(bounds: dict[str, float], value: float, broken: float) -> None:
    config = {"sweep": {"search": {"name": "s", "constraints": {"seconds": bounds}}}}
    assert search_settings(config).constraints["seconds"].broken(value) == pytest.approx(broken)


@pytest.mark.parametrize(
    ("name", "more"),
    [("val_dice", True), ("jaccard", True), ("loss", False), ("false_positive_rate.core", False)],
)
def test_which_figures_are_the_better_the_larger(name: str, more: bool) -> None:
    assert more_is_better(name) is more
