"""Sweeps on this machine: one job after the other, and several at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import contract
import psutil
import pytest

ENGINES = [(), ("sweep=joblib", "sweep.jobs=2")]


@pytest.fixture(params=ENGINES, ids=["local", "joblib"])
def engine(request: pytest.FixtureRequest, naps: Callable[..., Any]) -> Any:
    return naps(*request.param)


@pytest.fixture
def crowd(naps: Callable[..., Any]) -> Any:
    """Two at once."""
    return naps(*ENGINES[1])


def test_results_are_equal(engine: Any) -> None:
    contract.results_are_equal(engine)


def test_done_jobs_are_skipped(engine: Any) -> None:
    contract.done_jobs_are_skipped(engine)


def test_bad_jobs_cost_themselves_only(engine: Any) -> None:
    contract.bad_jobs_cost_themselves_only(engine)


def test_failed_jobs_are_tried_again(crowd: Any) -> None:
    contract.failed_jobs_are_tried_again(crowd)


def test_a_killed_sweep_goes_on(crowd: Any) -> None:
    contract.a_killed_sweep_goes_on(crowd, contract.kill_command)


def test_a_whole_killed_tree_goes_on(crowd: Any) -> None:
    def kill(process: Any) -> None:
        tree = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for one in tree:
            one.kill()

    contract.a_killed_sweep_goes_on(crowd, kill)


def test_ctrl_c_stops_the_jobs_in_order(crowd: Any) -> None:
    process = crowd.start("number=1,2", "seconds=60")
    contract.wait_for(lambda: any(state.get("live") for state in crowd.states().values()))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    states = [state for state in crowd.states().values() if state]
    assert {state["status"] for state in states} <= {"interrupted"}
    assert not any(psutil.pid_exists(state["pid"]) for state in states)


def test_two_commands_share_the_jobs(naps: Callable[..., Any]) -> None:
    sweep = naps()
    first, second = (sweep.start("number=1,2,3", "seconds=0.5") for _ in range(2))
    for process in (first, second):
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert sweep.starts() == {1: 1, 2: 1, 3: 1}


def test_each_job_has_its_own_cores(naps: Callable[..., Any], tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        pytest.skip("there is one core")
    sweep = naps(f"sweep.cores={cores}", TMPDIR=str(tmp_path))
    began = time.monotonic()
    swept = sweep.run("number=1,2,3,4", "seconds=1")
    assert swept.code == 0, swept.err
    assert time.monotonic() - began < 60
    used = [eval(path.read_text().split(maxsplit=1)[1]) for path in sweep.root.glob("nap_*/starts")]
    assert sorted(map(tuple, used)) == sorted([(cores[0],), (cores[1],)] * 2)


def test_a_job_that_was_killed_shows_as_cut_off(naps: Callable[..., Any]) -> None:
    from nnplug.sweeps import jobs

    sweep = naps()
    process = sweep.start("number=1", "seconds=60")
    contract.wait_for(lambda: any(state.get("live") for state in sweep.states().values()))
    (job,) = jobs.of(sweep.folder)
    assert job.state().status == "running"
    os.kill(process.pid, signal.SIGKILL)
    os.kill(job.state().pid or 0, signal.SIGKILL)
    contract.wait_for(lambda: job.state().status == "cut off", 10)
    process.communicate(timeout=10)
    assert job.written().status == "running"
