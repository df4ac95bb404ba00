"""Sweeps on a real Slurm of two nodes."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import archives
import contract
import psutil
import pytest
import scans
import slurm_cluster

pytestmark = pytest.mark.slow
OPTIONS = ("sweep=slurm", "sweep.options.cpus_per_task=1", "sweep.options.timeout_min=10")


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    pytest.importorskip("submitit")
    if why := slurm_cluster.missing():
        pytest.skip(f"no Slurm: {why}")
    with slurm_cluster.cluster(tmp_path_factory.mktemp("slurm")) as conf:
        yield conf


@pytest.fixture
def engine(conf: Path, naps: Callable[..., Any]) -> Any:
    return naps(*OPTIONS, SLURM_CONF=str(conf))


def slurm(conf: Path, *words: str) -> str:
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout


def test_results_are_equal_and_nothing_is_done_twice(engine: Any) -> None:
    contract.results_are_equal(engine)
    swept = engine.run(contract.NUMBERS)
    assert swept.code == 0, swept.err
    assert set(engine.starts().values()) == {1}


def test_bad_jobs_cost_themselves_only(engine: Any) -> None:
    contract.bad_jobs_cost_themselves_only(engine)


def test_jobs_outlive_the_login_shell(engine: Any) -> None:
    """The command is killed; its jobs go on; the same command waits for them."""
    contract.a_killed_sweep_goes_on(engine, contract.kill_command, starts=1)


def test_a_preempted_job_goes_on(engine: Any, conf: Path) -> None:
    """The signal before the end of its time: it saves, is queued again, and goes on."""
    process = engine.start("number=1", "seconds=15")
    contract.wait_for(lambda: any(state.get("live") for state in engine.states().values()))
    (number,) = slurm(conf, "squeue", "-h", "-r", "-o", "%A").split()
    slurm(conf, "scancel", "--signal=USR2", number)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert engine.states()[1]["status"] == "done"
    assert engine.starts() == {1: 2}


def test_a_killed_job_is_reported(engine: Any, conf: Path) -> None:
    process = engine.start("number=1,2", "seconds=8")
    contract.wait_for(lambda: sum(bool(s.get("live")) for s in engine.states().values()) == 2)
    job = slurm(conf, "squeue", "-h", "-r", "-o", "%i").split()[0]
    slurm(conf, "scancel", "--signal=KILL", job)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 10, err
    assert "1 of 2 jobs did not end well" in err
    swept = engine.run("number=1,2", "seconds=8")
    assert swept.code == 0, swept.err
    assert sorted(engine.starts().values()) == [1, 2]


def test_a_grid_of_trainings_ends_as_on_this_machine(conf: Path, tmp_path: Path) -> None:
    chosen = scans.Scans.copied(tmp_path)
    scans.equal_on(chosen, *OPTIONS, SLURM_CONF=str(conf))


def kill_node(conf: Path, node: str) -> None:
    """SIGKILL to its slurmd and to every process of its jobs; then the controller is told."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words, variables = process.cmdline(), process.environ()
            ours = variables.get("SLURM_CONF") == str(conf)
            daemon = words[:1] == ["slurmd"] and node in words
            if ours and (daemon or variables.get("SLURMD_NODENAME") == node):
                process.kill()
    slurm(conf, "scontrol", "update", f"nodename={node}", "state=down", "reason=killed")


def test_a_lost_node_costs_its_shards_only(conf: Path, tmp_path: Path) -> None:
    """2,000 cases; the last test here, since the node does not come back."""
    archives.a_lost_node_costs_its_shards_only(
        archives.Archive.make(tmp_path, 2000),
        lambda: kill_node(conf, "n2"),
        "parallel=slurm",
        "parallel.options.cpus_per_task=1",
        "parallel.options.timeout_min=10",
        variables={"SLURM_CONF": str(conf)},
    )
