"""Converting an archive of DICOM series: the same series by nnplug, dcm2niix and dicom2nifti."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

COPIES = 20
NNUNET_VARIABLES = ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER")
_run = count()


def archive(series: list[Path], folder: Path, copies: int = COPIES) -> list[Path]:
    """A folder a series, each ``copies`` times; hard links where the file system allows."""
    made = []
    for copy in range(copies):
        for source in series:
            target = folder / "_".join((*source.parts[-3:-1], str(copy)))
            target.mkdir(parents=True)
            for path in source.iterdir():
                try:
                    os.link(path, target / path.name)
                except OSError:
                    shutil.copyfile(path, target / path.name)
            made.append(target)
    return made


def nnplug(source: Path, folder: Path, *, qc: bool = False, cache: Path | str = "off") -> None:
    """``nnplug convert`` of the whole archive, start-up included.

    Each run starts with an empty root.

    Args:
        source: the archive.
        folder: the root goes below it.
        qc: with pictures for quality control.
        cache: where headers are kept; they are read anew without.
    """
    _command(
        *("convert", "converter=dicom", "dataset.name=Bench", "dataset.task_id=399"),
        *("dataset.channels={0: image}", "dataset.unlabelled=true", f"convert.qc={qc}"),
        *(f"dataset.source={source}", f"paths.root={folder / f'nnplug_{next(_run)}'}"),
        cache=cache,
    )


def scan(source: Path, cache: Path) -> None:
    """``nnplug scan``, which keeps the headers."""
    _command("scan", str(source), "--json", cache=cache)


def _command(*arguments: str, cache: Path | str) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in NNUNET_VARIABLES}
    subprocess.run(
        [Path(sys.executable).with_name("nnplug"), *arguments],
        check=True,
        capture_output=True,
        env={**kept, "NNPLUG_CACHE": str(cache)},
    )


def dcm2niix(series: list[Path], folder: Path, processes: int = 1, *, bare: bool = False) -> None:
    """``dcm2niix -z y`` series by series, in one process or several side by side.

    The command that the wheel installs is a Python script around the program; ``bare`` runs the
    program itself.
    """
    import dcm2niix as wheel

    program = wheel.bin if bare else Path(sys.executable).with_name("dcm2niix")
    out = folder / f"dcm2niix_{next(_run)}"
    out.mkdir()

    def convert(path: Path) -> None:
        subprocess.run(
            [program, "-z", "y", "-b", "n", "-o", out, "-f", path.name, path],
            check=True,
            capture_output=True,
        )

    with ThreadPoolExecutor(processes) as threads:
        list(threads.map(convert, series))


def dicom2nifti(series: list[Path], folder: Path) -> None:
    """``dicom2nifti`` series by series in one process."""
    from dicom2nifti import dicom_series_to_nifti

    out = folder / f"dicom2nifti_{next(_run)}"
    out.mkdir()
    for path in series:
        dicom_series_to_nifti(path, out / f"{path.name}.nii.gz", reorient_nifti=False)


def growth(series: list[Path], folder: Path) -> Iterator[tuple[int, Path]]:
    """Archives of 10, 100 and 1,000 cases that are links to a few."""
    for cases in (10, 100, 1000):
        source = folder / f"growth_{cases}"
        archive(series[:10], source, copies=cases // len(series[:10]))
        yield cases, source
