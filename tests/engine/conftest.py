"""A tiny task of six cases with two channels, planned once, and processes to work on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

TASK = "Task901_Tiny"
HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]

Run = Callable[..., str]


def script_environment(root: Path, results: Path | None = None) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("nnUNet", "RESULTS"))}
    path = os.pathsep.join([str(REPOSITORY), str(HERE), os.environ.get("PYTHONPATH", "")])
    chosen = {"ENGINE_ROOT": str(root), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    if results is not None:
        chosen["ENGINE_RESULTS"] = str(results)
    return {**inherited, **chosen}


@pytest.fixture(scope="session")
def run_python() -> Run:
    """Run code in a new process, warnings as errors; returns what it printed."""

    def run(
        code: str, root: Path, *, results: Path | None = None, strict: bool = True, **more: str
    ) -> str:
        flags = ["-W", "error", "-W", "ignore::ResourceWarning"] if strict else []
        done = subprocess.run(
            [sys.executable, *flags, "-c", textwrap.dedent(code)],
            env={**script_environment(root, results), **more},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def script_env() -> Callable[[Path, Path], dict[str, str]]:
    """The environment of such a process, for a test that starts it itself."""
    return script_environment


def write_task(root: Path, cases: int = 6) -> Path:
    """Write the raw task; 24 x 28 x 20 voxels (x, y, z), 1 x 1 x 1.2 mm."""
    folder = root / "raw" / "nnUNet_raw_data" / TASK
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    z, y, x = np.mgrid[:20, :28, :24]
    for number in range(cases):
        centre = rng.uniform(-2, 2, 3)
        ball = ((z - 10 - centre[0]) ** 2 + (y - 14 - centre[1]) ** 2) + (x - 12 - centre[2]) ** 2
        label = (ball < 60).astype(np.uint8) + (ball < 18)
        for channel in range(2):
            noise = rng.normal(0, 20, label.shape)
            values = label * (100.0 + 40 * channel) + noise + 300
            _write(
                values.astype(np.float32), folder / "imagesTr" / f"c{number}_{channel:04}.nii.gz"
            )
        _write(label, folder / "labelsTr" / f"c{number}.nii.gz")
    training = [
        {"image": f"./imagesTr/c{n}.nii.gz", "label": f"./labelsTr/c{n}.nii.gz"}
        for n in range(cases)
    ]
    content = {
        "name": "Tiny",
        "modality": {"0": "CT", "1": "MR"},
        "labels": {"0": "background", "1": "shell", "2": "core"},
        "numTraining": cases,
        "numTest": 0,
        "training": training,
        "test": [],
    }
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def _write(values: np.ndarray, path: Path) -> None:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((1.0, 1.0, 1.2))
    sitk.WriteImage(image, str(path))


@pytest.fixture(scope="session")
def raw_task() -> Callable[[Path], Path]:
    """Write the raw task below a folder; returns its own."""
    return write_task


@pytest.fixture(scope="session")
def planned(tmp_path_factory: pytest.TempPathFactory, run_python: Run) -> Path:
    """The root of the task, planned for 3d_fullres, with derived plans of small batches."""
    root = tmp_path_factory.mktemp("engine")
    write_task(root)
    run_python(
        """
        from engine_job import *
        from nnplug.engine import planning
        folders, device = enter()
        planning.prepare(folders, TASK, "3d_fullres", 2, log=folders.raw_base / "plan.log")
        small = planning.PlanOverrides(2, (16, 16, 16), 4)
        planning.derive(folders, TASK, "3d_fullres", PLANS, small)
        planning.stamp(folders, TASK, "3d_fullres", "hash")
        """,
        root,
    )
    return root
