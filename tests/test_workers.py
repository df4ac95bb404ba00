"""Worker processes: what is done when one is killed, and when the work is given up."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nnplug.stages import memory
from nnplug.stages.workers import Crew, WorkerKilled, each
from nnplug.types import CaseSource


def double(number: int) -> int:
    if number == 3:
        os._exit(1)
    if number == 4:
        raise ValueError("four")
    return 2 * number


@pytest.mark.parametrize("workers", [1, 2])
def test_an_item_that_kills_its_worker_costs_no_other(workers: int) -> None:
    outcomes = dict(each(double, range(8), workers))
    assert {key: outcomes[key] for key in (0, 1, 2, 5, 6, 7)} == {
        key: 2 * key for key in (0, 1, 2, 5, 6, 7)
    }
    assert isinstance(outcomes[3], WorkerKilled)
    assert "workers=1" in str(outcomes[3].hint)
    assert repr(outcomes[4]) == "ValueError('four')"
    assert list(outcomes)[-1] == 3


def whoami(_: int) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    return os.getpid()


def test_a_worker_leaves_ctrl_c_to_its_parent() -> None:
    pids = {outcome for _, outcome in each(whoami, range(3), 1)}
    assert len(pids) == 1


def test_a_crew_keeps_its_workers_and_the_order() -> None:
    with Crew(2) as crew:
        assert crew.map(double, [5, 1, 2]) == [10, 2, 4]
        before = {process.pid for process in multiprocessing.active_children()}
        assert {pid for _, pid in crew.each(whoami, range(20))} <= before
        with pytest.raises(ValueError, match="four"):
            crew.map(double, [1, 4])
        assert {pid for _, pid in crew.each(whoami, range(5), limit=1)} <= before
    assert not multiprocessing.active_children()


def test_items_are_fetched_only_when_a_worker_is_free() -> None:
    fetched = []

    def items() -> Iterator[int]:
        for number in range(100, 200):
            fetched.append(number)
            yield number

    with closing(each(double, items(), 2)) as outcomes:
        next(outcomes)
    assert len(fetched) <= 4
    assert not multiprocessing.active_children()


def test_an_item_under_way_is_finished_before_an_early_stop(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "abc"]
    with closing(each(slow_write, files, 2)) as outcomes:
        next(outcomes)
    assert len(list(tmp_path.iterdir())) >= 2
    assert all(path.read_text() == "whole" for path in tmp_path.iterdir())


def slow_write(path: Path) -> None:
    time.sleep(0.0 if path.name == "a" else 0.4)
    path.write_text("whole")


def test_large_cases_get_fewer_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.resources, "memory", lambda: 1_300_000)
    (tmp_path / "folder").mkdir()
    for name, size in (("a", 1000), ("b", 90_000), ("folder/c", 9_000), ("folder/d", 1_000)):
        (tmp_path / name).write_bytes(b"0" * size)

    def cases(*images: str) -> list[CaseSource]:
        return [CaseSource("x", tuple(tmp_path / name for name in images))]

    assert memory.workers(cases("a")) == 108
    assert memory.workers(cases("folder")) == 10
    assert memory.workers(cases("folder", "folder")) == 10
    assert memory.workers([*cases("a"), *cases("a", "folder")]) == 9
    assert memory.workers(cases("b", "folder")) == 1
    assert memory.workers(cases("absent")) >= 1
    further = {"files": (str(tmp_path / "b"),)}
    assert memory.workers([CaseSource("x", (tmp_path / "a",), details=further)]) == 1
