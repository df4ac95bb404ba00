"""Run commands as a user would."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

NNUNET_VARIABLES = ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def run_command(
    command: list[str], folder: Path, *, code: int = 0, timeout: float = 1500, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in ``folder`` without nnU-Net's variables; show its output if it fails."""
    kept = {key: value for key, value in os.environ.items() if key not in NNUNET_VARIABLES}
    done = subprocess.run(
        command,
        cwd=folder,
        env=kept | environ,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == code, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


def build_wheel(python: str, project: Path, target: Path) -> None:
    """Build without the network."""
    run_command(
        [python, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target)], project
    )


def install_wheels(python: str, wheels: Path) -> None:
    """Install every wheel in a folder without what it depends on."""
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    run_command([*pip, *map(str, wheels.glob("*.whl"))], wheels)


def copy_scans(shared_data: Path, source: Path, cases: int) -> None:
    """The first scans of the hippocampus cohort and their labels."""
    images = sorted((shared_data / "hippocampus" / "images").glob("*.nii.gz"))[:cases]
    for image in images:
        for kind in ("images", "labels"):
            copy = source / kind / image.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(image.parents[1] / kind / image.name, copy)
