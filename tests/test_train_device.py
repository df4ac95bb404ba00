"""A device that is not there is refused before anything is converted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nnplug.errors import DeviceError


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["trainer=v2_dp", "trainer.gpus=[0,97]"], "asked for GPUs 0, 97; 0 of them there"),
        (["trainer=v2", "device=cuda"], "device=cuda, but there is no GPU"),
        (["trainer=v2", "device=mps"], "torch finds no Apple GPU"),
    ],
)
def test_a_missing_device(
    cohort: Callable[..., Path], tmp_path: Path, overrides: list[str], problem: str
) -> None:
    source = cohort("p1", "p2", "p3", "p4", "p5")
    dataset = [
        *("dataset.name=Toy", "dataset.task_id=301", f"dataset.source={source}"),
        *("dataset.channels={0: CT}", "dataset.labels={background: 0, shell: 1, core: 2}"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "nnplug", "train", *dataset, *overrides, "paths.root=root"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == DeviceError.exit_code
    assert problem in done.stderr or "CUDA_VISIBLE_DEVICES=''" in done.stderr
    assert not list((tmp_path / "root").rglob("*.nii.gz"))
