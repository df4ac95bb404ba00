"""The command line as a user has it, and the public scans beside the repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from acceptance_tools import Run, run_command

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Public scans beside the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the public scans are not there: {folder}")
    return folder


@pytest.fixture(scope="session")
def nnplug() -> Run:
    """Call ``nnplug(folder, *arguments, code=0)``."""

    def call(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return run_command([sys.executable, "-m", "nnplug", *arguments], folder, code=code)

    return call
