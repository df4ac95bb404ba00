"""make bench: nnplug against the stock tools in one run, as ratios, into docs/benchmarks.md.

Each pair is run in turn, A B A B ..., after a warm-up; the medians and the median of the paired
ratios are written.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import bench_conversion
import bench_memory
import bench_plugins
import bench_sweeps
import bench_tracking

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
SERIES = sorted((DATA / "sts" / "dicom").glob("*/*/image"))
PACKAGES = ("nnplug", "nnunet", "torch", "numpy", "SimpleITK", "pydicom", "hydra-core", "isal")
PACKAGES += ("dcm2niix", "dicom2nifti")


@dataclass(frozen=True)
class Race:
    """The same work done by nnplug and by stock tools, in turn, ``runs`` times."""

    what: str
    ours: Callable[[], object]
    stock: dict[str, Callable[[], object]]
    runs: int = 3


def command(*arguments: str) -> Callable[[], object]:
    """Run a console script of this environment."""
    path = Path(sys.executable).with_name(arguments[0])

    def call() -> object:
        return subprocess.run([path, *arguments[1:]], check=True, capture_output=True)

    return call


def races(folder: Path) -> Iterator[Race]:
    """What is compared."""
    stock = {"nnUNet_train -h": command("nnUNet_train", "-h")}
    yield Race("nnplug --help", command("nnplug", "--help"), stock)
    composed = command("nnplug", "train", "--cfg", "job", "dataset=lunglobe")
    yield Race("nnplug train --cfg job", composed, stock)
    if SERIES:
        yield from conversions(folder)


def conversions(folder: Path) -> Iterator[Race]:
    """An archive of DICOM series to .nii.gz on all cores."""
    whole, part = folder / "archive", folder / "part"
    many = bench_conversion.archive(SERIES, whole)
    # dicom2nifti fails on the MR series.
    scans = [path for path in SERIES if path.parent.name == "CT"]
    few = bench_conversion.archive(scans, part)

    def ours(source: Path, *, qc: bool = False) -> Callable[[], object]:
        return lambda: bench_conversion.nnplug(source, folder, qc=qc)

    def dcm2niix(processes: int, *, bare: bool) -> Callable[[], object]:
        return lambda: bench_conversion.dcm2niix(many, folder, processes, bare=bare)

    what, one, two = f"convert {len(many)} DICOM series", "dcm2niix -z y", "two at a time"
    bare = f"{one} without the script of its wheel"
    stock = {
        one: dcm2niix(1, bare=False),
        f"{one}, {two}": dcm2niix(2, bare=False),
        bare: dcm2niix(1, bare=True),
        f"{bare}, {two}": dcm2niix(2, bare=True),
    }
    yield Race(what, ours(whole), stock)
    plain = {"nnplug without pictures": ours(whole)}
    yield Race(f"{what}, with pictures", ours(whole, qc=True), plain)
    other = {"dicom2nifti": lambda: bench_conversion.dicom2nifti(few, folder)}
    yield Race(f"convert {len(few)} CT series", ours(part), other)


def growth(folder: Path) -> Iterator[str]:
    """Rows of how the cost of a conversion grows; the headers are cached by a first look."""
    for cases, source in bench_conversion.growth(SERIES, folder):
        cache = folder / f"cache_{cases}"
        index = seconds(lambda: bench_conversion.scan(source, cache))  # noqa: B023 - called here
        took = seconds(lambda: bench_conversion.nnplug(source, folder, cache=cache))  # noqa: B023
        yield f"| {cases} | {index:.2f} s | {took:.2f} s | {1000 * took / cases:.1f} ms |"


def measure(race: Race) -> Iterator[str]:
    """A row for each stock tool: median seconds of both, and the median of stock / ours."""
    race.ours()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in race.stock}
    for _ in range(race.runs):
        ours = seconds(race.ours)
        for name, stock in race.stock.items():
            times[name].append((ours, seconds(stock)))
    for name, pairs in times.items():
        ours, stock = (statistics.median(values) for values in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        yield f"| {race.what} | {ours:.3f} s | {name} | {stock:.3f} s | {ratio:.1f} |"


def seconds(call: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@contextmanager
def nnunet_folders(folder: Path) -> Iterator[None]:
    """nnU-Net's variables, so that its commands start."""
    for name in ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER"):
        os.environ[name] = str(folder / name)
    yield


def main() -> None:
    """Write the table."""
    with tempfile.TemporaryDirectory() as name, nnunet_folders(Path(name)):
        rows = []
        for race in races(Path(name)):
            for row in measure(race):
                rows.append(row)
                sys.stderr.write(f"{row}\n")
        grown = list(growth(Path(name))) if SERIES else []
        peaks = [f"| {what} | {peak:.2f} |" for what, peak in bench_memory.peaks(Path(name))]
        many = list(bench_plugins.rows(Path(name) / "plugins"))
        swept = list(bench_sweeps.rows(Path(name) / "sweeps"))
        tracked = list(bench_tracking.rows(Path(name) / "tracking")) if SERIES else []
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    text = f"""\
# Benchmarks

Written by `make bench`: medians of runs in turn after a warm-up of nnplug; the ratio is
stock / nnplug. Commands are timed whole, start-up included. Conversions draw no pictures for
quality control, as the other tools draw none, unless the row says so.

| nnplug | time | stock | time | ratio |
| --- | --- | --- | --- | --- |
{chr(10).join(rows)}

Archives of the same ten series, linked again and again, the index of headers apart:

| cases | nnplug scan, nothing cached | nnplug convert | a case |
| --- | --- | --- | --- |
{chr(10).join(grown)}

Peak memory of a worker above that of an empty one, in volumes of the case as it is written:

| case | volumes |
| --- | --- |
{chr(10).join(peaks)}

What installed plugins cost at start, each with {bench_plugins.SPECS} trainers and compiled as pip
does it; the two take turns:

| command | {bench_plugins.FEW} plugins | {bench_plugins.MANY} plugins | difference |
| --- | --- | --- | --- |
{chr(10).join(many)}

Sweeps of {bench_sweeps.JOBS} jobs that sleep for a second, {bench_sweeps.AT_ONCE} at once, with
the start of the command:

| engine | time | a job beyond its second |
| --- | --- | --- |
{chr(10).join(swept)}

An epoch of a small training on a CPU ({bench_tracking.RUNS} runs each, in turn) without and with
TensorBoard, the median of the ratios of pairs, the smallest and the largest:

| without | with | difference | of all pairs |
| --- | --- | --- | --- |
{chr(10).join(tracked)}

{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {versions}.
"""
    (ROOT / "docs" / "benchmarks.md").write_text(text)


if __name__ == "__main__":
    main()
