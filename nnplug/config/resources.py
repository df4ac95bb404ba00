"""Cores and memory that this process may use, in a container too."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

ROOT = Path("/")


def cores(root: Path = ROOT) -> int:
    """Cores of this process's affinity, fewer where a control group has a smaller quota.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = [math.ceil(quota) for folder in _groups("cpu", root) for quota in _quota(folder)]
    return max(1, min([there or 1, *quotas]))


def memory(root: Path = ROOT) -> int:
    """Bytes that are free, fewer where a control group is nearer to its limit."""
    left = [free for folder in _groups("memory", root) for free in _left(folder)]
    return max(0, min([int(psutil.virtual_memory().available), *left]))


def shared_memory(root: Path = ROOT) -> int | None:
    """Free bytes in ``/dev/shm``, through which worker processes pass arrays; None without it."""
    folder = root / "dev" / "shm"
    return shutil.disk_usage(folder).free if folder.is_dir() else None


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """This process's control group and those above it, of version 2 and of version 1.

    See cgroups(7): a line of ``/proc/self/cgroup`` is ``number:controllers:path``, and version
    2 has no controllers there.
    """
    for number, controllers, path in _lines(root / "proc" / "self" / "cgroup"):
        top = root / "sys" / "fs" / "cgroup"
        if controller in controllers.split(","):
            top /= controller
        elif number != "0":
            continue
        inner = top / path.lstrip("/")
        yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(top))


def _lines(path: Path) -> list[list[str]]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return []
    return [line.split(":", 2) for line in lines if line.count(":") >= 2]


def _quota(folder: Path) -> Iterator[float]:
    """Cores' worth of time: ``cpu.max`` is "quota period", or version 1's two files."""
    quota, period = [*_numbers(folder / "cpu.max"), -1, -1][:2]
    if period <= 0:
        quota = next(_numbers(folder / "cpu.cfs_quota_us"), -1)
        period = next(_numbers(folder / "cpu.cfs_period_us"), -1)
    if quota > 0 and period > 0:
        yield quota / period


def _left(folder: Path) -> Iterator[int]:
    """Bytes to the limit; files' pages in the cache are given back when they are needed."""
    for limit, used, cache in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        for most in _numbers(folder / limit):
            for now in _numbers(folder / used):
                yield most - now + _statistic(folder / "memory.stat", cache)


def _statistic(path: Path, name: str) -> int:
    try:
        words = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return 0
    return next((int(word[1]) for word in words if word[0] == name), 0)


def _numbers(path: Path) -> Iterator[int]:
    """The numbers in a file; none if there is no limit ("max") or no file."""
    try:
        words = path.read_text().split()
    except OSError:
        return
    if words and words[0] != "max":
        yield from map(int, words)
