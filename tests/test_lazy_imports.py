"""Nothing heavy is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "nnunet", "SimpleITK", "numpy", "scipy", "batchgenerators", "sklearn"}
CODE = """
import sys
from nnplug import cli
sys.argv = ["nnplug", *sys.argv[1:]]
try:
    cli.main()
except SystemExit as end:
    assert not end.code, end.code
print("IMPORTED", *{name.partition(".")[0] for name in sys.modules})
"""


def imported(folder: Path, *arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.rpartition("IMPORTED")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["plugins"]])
def test_plain_verbs_import_neither_hydra_nor_anything_heavy(
    tmp_path: Path, arguments: list[str]
) -> None:
    assert not imported(tmp_path, *arguments) & {*HEAVY, "hydra", "omegaconf", "rich"}


@pytest.mark.parametrize(
    "arguments",
    [["train", "--cfg", "job", "dataset=lunglobe"], ["train", "--help"], ["convert", "--help"]],
)
def test_composing_imports_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    found = imported(tmp_path, *arguments)
    assert "hydra" in found
    assert not found & HEAVY
