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
from functools import partial
from importlib.metadata import version
from pathlib import Path

import bench_conversion

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
SERIES = sorted((DATA / "sts" / "dicom").glob("*/*/image"))
PACKAGES = ("nnplug", "nnunet", "torch", "numpy", "SimpleITK", "pydicom", "hydra-core", "isal")
PACKAGES += ("dcm2niix", "dicom2nifti")


@dataclass(frozen=True)
class Pair:
    """The same work done by nnplug and by a stock tool."""

    what: str
    ours: Callable[[], object]
    stock_name: str
    stock: Callable[[], object]
    runs: int = 5


def command(*arguments: str) -> Callable[[], object]:
    """Run a console script of this environment."""
    path = Path(sys.executable).with_name(arguments[0])

    def call() -> object:
        return subprocess.run([path, *arguments[1:]], check=True, capture_output=True)

    return call


def pairs(folder: Path) -> Iterator[Pair]:
    """What is compared."""
    stock_help = command("nnUNet_train", "-h")
    yield Pair("nnplug --help", command("nnplug", "--help"), "nnUNet_train -h", stock_help)
    composed = command("nnplug", "train", "--cfg", "job", "dataset=lunglobe")
    yield Pair("nnplug train --cfg job", composed, "nnUNet_train -h", stock_help)
    if SERIES:
        yield from conversions(folder)


def conversions(folder: Path) -> Iterator[Pair]:
    """An archive of DICOM series to .nii.gz on all cores."""
    whole, part = folder / "archive", folder / "part"
    many = bench_conversion.archive(SERIES, whole)
    # dicom2nifti fails on the MR series.
    few = bench_conversion.archive([path for path in SERIES if path.parent.name == "CT"], part)

    def ours(source: Path) -> Callable[[], object]:
        return lambda: bench_conversion.nnplug(source, folder)

    for processes, name in ((1, "dcm2niix -z y"), (2, "dcm2niix -z y, two at a time")):
        for bare in (False, True):
            yield Pair(
                f"convert {len(many)} DICOM series",
                ours(whole),
                f"{name}{', without the script of its wheel' if bare else ''}",
                partial(bench_conversion.dcm2niix, many, folder, processes, bare=bare),
                runs=2,
            )
    yield Pair(
        f"convert {len(few)} CT series",
        ours(part),
        "dicom2nifti",
        lambda: bench_conversion.dicom2nifti(few, folder),
        runs=2,
    )


def growth(folder: Path) -> Iterator[str]:
    """Rows of how the cost of a conversion grows."""
    for cases, source in bench_conversion.growth(SERIES, folder):
        start = time.perf_counter()
        bench_conversion.nnplug(source, folder)
        took = time.perf_counter() - start
        yield f"| {cases} | {took:.2f} s | {1000 * took / cases:.1f} ms |"


def measure(pair: Pair) -> tuple[float, float, float]:
    """Median seconds of ours and of stock, and the median of stock / ours."""
    times: list[tuple[float, float]] = []
    for run in range(pair.runs + 1):
        took = []
        for call in (pair.ours, pair.stock):
            start = time.perf_counter()
            call()
            took.append(time.perf_counter() - start)
        if run:
            times.append((took[0], took[1]))
    ours, stock = zip(*times, strict=True)
    ratio = statistics.median(b / a for a, b in times)
    return statistics.median(ours), statistics.median(stock), ratio


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
        for pair in pairs(Path(name)):
            ours, stock, ratio = measure(pair)
            rows.append(
                f"| {pair.what} | {ours:.3f} s | {pair.stock_name} | {stock:.3f} s | {ratio:.1f} |"
            )
            sys.stderr.write(rows[-1] + "\n")
        grown = list(growth(Path(name))) if SERIES else []
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    text = f"""\
# Benchmarks

Written by `make bench`: medians of paired runs after a warm-up; the ratio is stock / nnplug.
Commands are timed whole, start-up included.

| nnplug | time | stock | time | ratio |
| --- | --- | --- | --- | --- |
{chr(10).join(rows)}

Archives of the same ten series, linked again and again:

| cases | nnplug convert | a case |
| --- | --- | --- |
{chr(10).join(grown)}

{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {versions}.
"""
    (ROOT / "docs" / "benchmarks.md").write_text(text)


if __name__ == "__main__":
    main()
