"""Run commands as a user would."""

from __future__ import annotations

import os
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
