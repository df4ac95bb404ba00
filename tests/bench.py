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

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
RUNS = 5
PACKAGES = ("nnplug", "nnunet", "torch", "numpy", "SimpleITK", "pydicom", "hydra-core", "isal")


@dataclass(frozen=True)
class Pair:
    """The same work done by nnplug and by a stock tool."""

    what: str
    ours: Callable[[], object]
    stock_name: str
    stock: Callable[[], object]


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
    series = sorted((DATA / "sts" / "dicom").glob("*/CT/image"))
    if series:
        yield Pair(
            f"{len(series)} CT series, DICOM to .nii.gz, one process",
            lambda: convert_series(series, folder),
            "SimpleITK ImageSeriesReader + WriteImage",
            lambda: convert_series_simpleitk(series, folder),
        )


def convert_series(series: list[Path], folder: Path) -> None:
    """With nnplug's converter and writer."""
    from nnplug.data import nifti
    from nnplug.types import Source
    from nnplug_dicom.converter import DicomConverter
    from nnplug_dicom.options import DicomOptions

    converter = DicomConverter(DicomOptions())
    source = Source(series[0].parents[2], {0: "CT"}, unlabelled=True)
    for case in converter.discover(source):
        nifti.write(converter.read(case).images[0], folder / f"{case.name}.nii.gz")


def convert_series_simpleitk(series: list[Path], folder: Path) -> None:
    """With what most scripts use."""
    import SimpleITK as sitk

    for path in series:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path)))
        sitk.WriteImage(reader.Execute(), str(folder / f"{path.parent.parent.name}_stock.nii.gz"))


def measure(pair: Pair) -> tuple[float, float, float]:
    """Median seconds of ours and of stock, and the median of stock / ours."""
    times: list[tuple[float, float]] = []
    for run in range(RUNS + 1):
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
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    text = f"""\
# Benchmarks

Written by `make bench`: medians of {RUNS} paired runs after a warm-up; the ratio is stock / nnplug.

| nnplug | time | stock | time | ratio |
| --- | --- | --- | --- | --- |
{chr(10).join(rows)}

{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {versions}.
"""
    (ROOT / "docs" / "benchmarks.md").write_text(text)


if __name__ == "__main__":
    main()
