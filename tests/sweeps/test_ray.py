"""Sweeps on a Ray cluster of two nodes on this machine."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import archives
import contract
import psutil
import pytest
import scans
from napping import environment

pytestmark = pytest.mark.slow


class Cluster:
    """``ray start`` twice, each in the foreground, so that it is stopped by its process id."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = int(one.getsockname()[1])
        self.folder = folder
        self.variables = {"RAY_AUTH_MODE": "disabled", "RAY_DISABLE_USAGE_STATS": "1"}
        self.nodes: list[subprocess.Popen[bytes]] = []
        self.start("--head", f"--port={self.port}", "--include-dashboard=false")
        self.start(f"--address=127.0.0.1:{self.port}")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, *words: str) -> None:
        """One node of two slots."""
        common = ("--block", "--node-ip-address=127.0.0.1", "--num-cpus=2", "--num-gpus=0")
        command = [str(Path(sys.executable).with_name("ray")), "start", *words, *common]
        command += ["--object-store-memory=80000000", "--disable-usage-stats"]
        if "--head" in words:
            command += [f"--temp-dir={self.folder}"]
        log = (self.folder / "start.log").open("ab")
        with log:
            self.nodes.append(
                subprocess.Popen(command, env=environment(**self.variables), stdout=log, stderr=log)
            )
        contract.wait_for(lambda: "Ray runtime started" in self._said(), 60)

    def _said(self) -> str:
        lines = (self.folder / "start.log").read_text(errors="replace")
        return (
            "Ray runtime started" if lines.count("Ray runtime started") >= len(self.nodes) else ""
        )

    def kill(self, node: int) -> None:
        """SIGKILL to everything of a node."""
        parent = psutil.Process(self.nodes[node].pid)
        for one in [*parent.children(recursive=True), parent]:
            one.kill()
        self.nodes[node].wait()

    def stop(self) -> None:
        for number, node in reversed(list(enumerate(self.nodes))):
            if node.poll() is None:
                self.kill(number)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    pytest.importorskip("ray")
    cluster = Cluster(tmp_path_factory.mktemp("r"))
    yield cluster
    cluster.stop()


@pytest.fixture
def engine(cluster: Cluster, naps: Callable[..., Any]) -> Any:
    options = ("sweep=ray", f"sweep.options.init.address={cluster.address}")
    return naps(*options, **cluster.variables)


def test_results_are_equal_and_nothing_is_done_twice(engine: Any) -> None:
    contract.results_are_equal(engine)
    swept = engine.run(contract.NUMBERS)
    assert swept.code == 0, swept.err
    assert set(engine.starts().values()) == {1}


def test_bad_jobs_cost_themselves_only(engine: Any) -> None:
    contract.bad_jobs_cost_themselves_only(engine)


def test_a_killed_sweep_goes_on(engine: Any) -> None:
    contract.a_killed_sweep_goes_on(engine, contract.kill_command)


def test_a_grid_of_trainings_ends_as_on_this_machine(cluster: Cluster, tmp_path: Path) -> None:
    options = ("sweep=ray", f"sweep.options.init.address={cluster.address}")
    scans.equal_on(scans.Scans.copied(tmp_path), *options, **cluster.variables)


def test_a_search_runs_on_the_cluster(cluster: Cluster, naps: Callable[..., Any]) -> None:
    pytest.importorskip("optuna")
    options = ("sweep=ray", f"sweep.options.init.address={cluster.address}", "sweep/search=optuna")
    search = naps(*options, "sweep.search.sampler=random", "sweep.jobs=2", **cluster.variables)
    swept = search.run("number=int(interval(1,1000000))", "sweep.search.trials=4")
    assert swept.code == 0, swept.err
    assert "2 jobs on ray" in swept.err
    assert [state["status"] for state in search.states().values()] == ["done"] * 4


def test_a_lost_node_costs_no_job(cluster: Cluster, engine: Any) -> None:
    process = engine.start(contract.NUMBERS, "seconds=8")
    contract.wait_for(lambda: sum(bool(s.get("live")) for s in engine.states().values()) == 4)
    cluster.kill(1)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert {state["status"] for state in engine.states().values()} == {"done"}
    assert sorted(engine.starts().values()) == [1, 1, 2, 2]


def test_a_lost_node_costs_its_shards_only(cluster: Cluster, tmp_path: Path) -> None:
    """2,000 cases, and a node that comes and goes."""
    cluster.start(f"--address={cluster.address}")
    archives.a_lost_node_costs_its_shards_only(
        archives.Archive.make(tmp_path, 2000),
        lambda: cluster.kill(len(cluster.nodes) - 1),
        "parallel=ray",
        f"parallel.options.init.address={cluster.address}",
        variables=cluster.variables,
    )
