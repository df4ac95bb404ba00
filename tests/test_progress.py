"""progress.jsonl and progress.csv: a row an epoch, also after kills and resumes."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

from nnplug.runs import EpochReport
from nnplug.stages import progress
from nnplug.stages.progress import Progress

NAN = float("nan")


def report(epoch: int, loss: float = 0.5, dice: tuple[float, ...] = (0.5, 0.7)) -> EpochReport:
    return EpochReport(
        *(epoch, 10, loss, 0.4, list(dice), 0.01, 8.0),
        steps=4,
        seconds_loading=2.0,
        seconds_computing=5.0,
        memory=100.0,
    )


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "progress.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_both_files_hold_the_same_rows(tmp_path: Path) -> None:
    kept = Progress(tmp_path, ("core", "shell"), 1)
    for epoch in (1, 2, 3):
        kept.add(report(epoch, 1 / epoch, (0.5, NAN)), {})
    rows = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[1]["dice"] == {"core": 0.5, "shell": None}
    assert rows[1]["mean_dice"] == 0.5
    assert rows[1]["seconds_per_step"] == {"loading": 0.5, "computing": 1.25}
    for row, cells in zip(rows, table(tmp_path), strict=True):
        assert float(cells["train_loss"]) == row["train_loss"]
        assert (cells["dice.core"], cells["dice.shell"]) == ("0.5", "")
        assert cells["seconds_per_step.computing"] == "1.25"


def test_a_trainer_without_counts_has_a_mean_only(tmp_path: Path) -> None:
    Progress(tmp_path, ("core", "shell"), 1).add(report(1, dice=(0.25,)), {})
    (row,) = progress.read(tmp_path)
    assert (row["dice"], row["mean_dice"]) == ({}, 0.25)
    assert table(tmp_path)[0]["mean_dice"] == "0.25"


def test_a_repeated_epoch_replaces_its_row_and_those_after_it(tmp_path: Path) -> None:
    first = Progress(tmp_path, ("core", "shell"), 1)
    for epoch in (1, 2, 3):
        first.add(report(epoch, loss=1.0), {})
    second = Progress(tmp_path, ("core", "shell"), 2)
    second.add(report(2, loss=2.0), {})
    assert [(r["epoch"], r["train_loss"]) for r in progress.read(tmp_path)] == [(1, 1.0), (2, 2.0)]
    second.add(report(3, loss=3.0), {})
    rows = progress.read(tmp_path)
    assert [(row["epoch"], row["session"]) for row in rows] == [(1, 1), (2, 2), (3, 2)]
    assert [cells["train_loss"] for cells in table(tmp_path)] == ["1.0", "2.0", "3.0"]


def test_half_a_line_of_a_killed_process_is_dropped(tmp_path: Path) -> None:
    Progress(tmp_path, ("core", "shell"), 1).add(report(1), {})
    for name in ("progress.jsonl", "progress.csv"):
        path = tmp_path / name
        path.write_text(path.read_text() + path.read_text()[-30:-1])
    assert [row["epoch"] for row in progress.read(tmp_path)] == [1]
    Progress(tmp_path, ("core", "shell"), 2).add(report(2), {})
    assert [row["epoch"] for row in progress.read(tmp_path)] == [1, 2]
    assert [cells["epoch"] for cells in table(tmp_path)] == ["1", "2"]


def test_figures_are_finite_numbers(tmp_path: Path) -> None:
    Progress(tmp_path, ("core", "shell"), 1).add(report(1, NAN, (NAN, 0.5)), {"patch": "a.png"})
    (row,) = progress.read(tmp_path)
    found = progress.figures(row)
    assert all(math.isfinite(value) for value in found.values())
    assert found["dice.shell"] == 0.5
    assert {"train_loss", "dice.core", "pictures.patch"}.isdisjoint(found)
