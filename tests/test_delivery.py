"""What trackers are told: everything, in order, later if need be, and nothing private."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from nnplug.runs import EpochReport, RunInfo
from nnplug.stages import record
from nnplug.stages.delivery import Delivery
from nnplug.stages.progress import Progress

CONFIG = {
    "paths": {"root": "/data/clinic"},
    "seed": 3,
    "trainer": {"epochs": 4},
    "dataset": {"name": "Liver", "source": "/data/Miller", "test": ["Miller"], "subject": None},
}


class Server:
    """A tracker that is away while ``away``."""

    def __init__(self) -> None:
        self.away = False
        self.runs: list[RunInfo] = []
        self.epochs: list[tuple[int, float]] = []
        self.pictures: list[Path] = []
        self.closed: list[tuple[str, dict[str, float]]] = []

    def open(self, run: RunInfo) -> None:
        self._check()
        self.runs.append(run)

    def log(
        self, epoch: int, time: float, values: Mapping[str, float], pictures: Mapping[str, Path]
    ) -> None:
        self._check()
        self.epochs.append((epoch, values["train_loss"]))
        self.pictures += pictures.values()

    def close(self, status: str, values: Mapping[str, float]) -> None:
        self._check()
        self.closed.append((status, dict(values)))

    def _check(self) -> None:
        if self.away:
            raise ConnectionError("nobody answers")


class Training:
    """Writes what a training writes."""

    def __init__(self, folder: Path, *, resumed: bool = False) -> None:
        identity = record.run_id(folder, resumed)
        run = RunInfo(identity, "train", "a/b", folder, CONFIG, ("core",), resumed)
        self.record = record.Record(folder, record.about(run, CONFIG), resumed=resumed)
        self.record.start({})
        sessions = len(self.record.content["sessions"])
        self.progress = Progress(folder, ("core",), sessions)
        (folder / "1.png").write_bytes(b"png")

    def epoch(self, number: int, loss: float = 0.5) -> None:
        report = EpochReport(number, 4, loss, 0.4, [0.5], 0.01, 1.0)
        self.progress.add(report, {"patch": f"{number}.png"})


def test_everything_is_told_once_and_in_order(tmp_path: Path) -> None:
    server, training = Server(), Training(tmp_path)
    delivery = Delivery(tmp_path, "server", server)
    assert delivery.catch_up() == 0
    training.epoch(1)
    training.epoch(2)
    assert (delivery.catch_up(), delivery.catch_up()) == (2, 0)
    training.epoch(3)
    training.record.end({"dice": {"core": 0.75}, "mean_dice": 0.75})
    assert delivery.catch_up() == 1
    assert Delivery(tmp_path, "server", server).catch_up() == 0
    assert server.epochs == [(1, 0.5), (2, 0.5), (3, 0.5)]
    assert server.pictures == [tmp_path / "1.png"]
    assert server.closed == [
        ("finished", {"validation.dice.core": 0.75, "validation.mean_dice": 0.75})
    ]
    assert len(server.runs) == 1


def test_what_a_server_missed_is_told_by_another_process_later(tmp_path: Path) -> None:
    server, training = Server(), Training(tmp_path)
    training.epoch(1)
    Delivery(tmp_path, "server", server).catch_up()
    server.away = True
    training.epoch(2)
    training.record.end(None, KeyboardInterrupt())
    with pytest.raises(ConnectionError):
        Delivery(tmp_path, "server", server).catch_up()
    server.away = False
    assert Delivery(tmp_path, "server", server).catch_up() == 1
    assert server.epochs == [(1, 0.5), (2, 0.5)]
    assert server.closed == [("interrupted", {})]


def test_epochs_that_are_trained_again_are_told_again(tmp_path: Path) -> None:
    server, training = Server(), Training(tmp_path)
    training.epoch(1)
    training.epoch(2)
    Delivery(tmp_path, "server", server).catch_up()
    again = Training(tmp_path, resumed=True)
    again.epoch(2, loss=0.25)
    again.record.end({"mean_dice": None})
    Delivery(tmp_path, "server", server).catch_up()
    assert server.epochs == [(1, 0.5), (2, 0.5), (2, 0.25)]
    assert server.closed == [("finished", {})]
    assert server.runs[0].id == server.runs[1].id


def test_a_new_run_in_the_same_folder_starts_anew(tmp_path: Path) -> None:
    server = Server()
    for _ in range(2):
        Training(tmp_path).epoch(1)
        Delivery(tmp_path, "server", server).catch_up()
    assert server.epochs == [(1, 0.5), (1, 0.5)]
    assert server.runs[0].id != server.runs[1].id


def test_nothing_private_is_told(tmp_path: Path) -> None:
    server = Server()
    Training(tmp_path).epoch(1)
    Delivery(tmp_path, "server", server).catch_up()
    (run,) = server.runs
    assert run.parameters == {"seed": 3, "trainer.epochs": 4, "dataset.name": "Liver"}
    assert "Miller" not in json.dumps(dict(run.config))
