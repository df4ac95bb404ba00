"""The command line as a user has it, and the public scans beside the repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from acceptance_tools import Run, build_wheel, install_wheels, run_command

ROOT = Path(__file__).parents[2]
LEFT_OUT = ("nnplug", "__editable__")
SCRIPTS = {
    "pip": '[ "$1" = install ] && shift && set -- install --no-index --no-deps '
    '--no-build-isolation --quiet "$@"\n',
    "pytest": "",
    "mypy": 'export MYPY_CACHE_DIR="${0%/*}/../mypy_cache"\n',
}


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


@pytest.fixture(scope="session")
def fresh_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of a fresh environment with nnplug's wheel; it borrows what nnplug needs.

    Its ``pip`` asks no index, and its ``mypy`` remembers what it has seen of nnplug.
    """
    folder = tmp_path_factory.mktemp("newcomer")
    venv.create(folder / "venv")
    (packages,) = folder.glob("venv/lib/python*/site-packages")
    (site,) = [Path(path) for path in sys.path if path.endswith("site-packages")]
    for path in site.iterdir():
        if not path.name.startswith(LEFT_OUT) and not (packages / path.name).exists():
            (packages / path.name).symlink_to(path)
    python = str(folder / "venv" / "bin" / "python")
    for name, before in SCRIPTS.items():
        script = Path(python).with_name(name)
        script.write_text(f'#!/bin/sh\n{before}exec {python} -m {name} "$@"\n')
        script.chmod(0o755)
    copy = shutil.copytree(
        ROOT,
        folder / "nnplug",
        ignore=shutil.ignore_patterns(".*", "plugins", "tests", "docs", "*.egg-info", "build"),
    )
    build_wheel(python, Path(copy), folder / "wheels")
    install_wheels(python, folder / "wheels")
    return Path(python).parent
