"""How the catalog's cost grows with installed plugins: rows for make bench."""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

FEW, MANY = 10, 1000
SPECS = 10
RUNS = 11
COMMANDS = {
    "nnplug plugins --json": ("plugins", "--json"),
    "nnplug train --cfg job": ("train", "--cfg", "job", "dataset=hippocampus", "trainer=t_0_0"),
}
CODE = """
from nnplug.hookspecs import hookimpl
from nnplug.types import TrainerSpec

@hookimpl
def nnplug_trainers():
    return [TrainerSpec(f"t_{number}_{{n}}", "json:JSONDecoder") for n in range({specs})]
"""


def generate(folder: Path, plugins: int, specs: int = SPECS) -> Path:
    """Install that many plugins with that many trainers each below ``folder``."""
    for number in range(plugins):
        record = folder / f"bench_plugin_{number}-1.0.dist-info"
        record.mkdir(parents=True)
        name = f"bench-plugin-{number}"
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (record / "entry_points.txt").write_text(
            f"[nnplug]\nbench{number} = bench_plugin_{number}\n"
        )
        (folder / f"bench_plugin_{number}.py").write_text(CODE.format(number=number, specs=specs))
    compileall.compile_dir(folder, quiet=2)  # as pip does when it installs
    return folder


def seconds(folder: Path, command: tuple[str, ...]) -> float:
    """The time of a command that sees the plugins in ``folder``."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "nnplug", *command],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - start


def rows(folder: Path) -> Iterator[str]:
    """One row a command: medians with few plugins, with many, and of the differences.

    Few and many take turns, so that both have the same share of a machine that is not quiet.
    """
    few, many = generate(folder / "few", FEW), generate(folder / "many", MANY)
    for name, command in COMMANDS.items():
        pairs = [(seconds(few, command), seconds(many, command)) for _ in range(RUNS + 1)][1:]
        short, long = (statistics.median(times) for times in zip(*pairs, strict=True))
        more = statistics.median(long - short for short, long in pairs)
        yield f"| {name} | {short:.2f} s | {long:.2f} s | {more:+.2f} s |"
