"""What a process may use, by the files of a control group (cgroups(7)) around it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from nnplug.config import resources

GIB = 2**30


def system(root: Path, groups: str, files: dict[str, str]) -> Path:
    """A machine's ``/proc`` and ``/sys/fs/cgroup``."""
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "cgroup").write_text(groups)
    for name, text in files.items():
        path = root / "sys" / "fs" / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 cores, 128 GiB free."""

    class Memory:
        available = 128 * GIB

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(psutil, "virtual_memory", Memory)


@pytest.mark.parametrize(
    ("limits", "cores"),
    [
        ({}, 64),
        ({"cpu.max": "max 100000\n"}, 64),
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "9900000 100000\n"}, 64),
    ],
)
def test_a_container_has_fewer_cores(tmp_path: Path, limits: dict[str, str], cores: int) -> None:
    assert resources.cores(system(tmp_path, "0::/\n", limits)) == cores


def test_the_smallest_quota_above_counts(tmp_path: Path) -> None:
    files = {
        "job/cpu.max": "400000 100000",
        "job/step/cpu.max": "max 100000",
        "other/cpu.max": "100000 100000",
    }
    assert resources.cores(system(tmp_path, "0::/job/step/task\n", files)) == 4


def test_quotas_of_version_1(tmp_path: Path) -> None:
    groups = "5:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n1:name=systemd:/\n0::/\n"
    files = {
        "cpu/cpu.cfs_quota_us": "300000",
        "cpu/cpu.cfs_period_us": "100000",
        "memory/docker/a/memory.limit_in_bytes": str(4 * GIB),
        "memory/docker/a/memory.usage_in_bytes": str(3 * GIB),
        "memory/docker/a/memory.stat": f"cache 7\ntotal_inactive_file {GIB}\n",
    }
    root = system(tmp_path, groups, files)
    assert resources.cores(root) == 3
    assert resources.memory(root) == 2 * GIB
    (root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us").write_text("-1")
    assert resources.cores(root) == 64


def test_a_container_has_less_memory(tmp_path: Path) -> None:
    files = {
        "memory.max": str(8 * GIB),
        "memory.current": str(7 * GIB),
        "memory.stat": f"anon {4 * GIB}\ninactive_file {2 * GIB}\n",
        "pod/memory.max": "max",
        "pod/memory.current": str(GIB),
    }
    assert resources.memory(system(tmp_path, "0::/pod\n", files)) == 3 * GIB


def test_without_control_groups_the_machine_counts(tmp_path: Path) -> None:
    assert resources.cores(tmp_path) == 64
    assert resources.memory(tmp_path) == 128 * GIB
    assert resources.shared_memory(tmp_path) is None
    (tmp_path / "dev" / "shm").mkdir(parents=True)
    assert (resources.shared_memory(tmp_path) or 0) > 0


def test_this_machine() -> None:
    assert 1 <= resources.cores() <= 64
    assert 0 < resources.memory() <= 128 * GIB
