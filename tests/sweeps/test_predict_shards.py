"""Cases of one prediction dealt out to several processes, with a model of nnU-Net's old stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import contract
import numpy as np
import pytest
import SimpleITK as sitk

pytestmark = pytest.mark.slow

SHARDS = ("parallel.shards=2", "parallel.jobs=2")


@pytest.fixture
def old(shared_data: Callable[[str], Path]) -> Path:
    """The example's folder: images, and the masks that they got."""
    return shared_data("models_v1") / "hippocampus"


@pytest.fixture
def predict(old: Path, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start ``nnplug predict`` for a copy of the images, with the model imported."""
    source = tmp_path / "in"
    source.mkdir()
    for path in (old / "images").iterdir():
        (source / path.name).symlink_to(path)
    nnplug = [sys.executable, "-P", "-m", "nnplug"]
    imported = [*nnplug, "bundle", "import", str(old.with_suffix(".zip"))]
    model = subprocess.run(imported, cwd=tmp_path, capture_output=True, text=True, check=True)

    def start(*more: str) -> subprocess.Popen[str]:
        words = [f"model={model.stdout.strip()}", "input=in", "device=cpu", "workers=1", *more]
        return subprocess.Popen(
            [*nnplug, "predict", *words],
            cwd=tmp_path,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    return start


def states(folder: Path) -> dict[int, dict[str, Any]]:
    """What became of each shard, by its number."""
    found = {}
    for path in folder.glob("nnplug_data/shards/*/*/state.json"):
        shard = json.loads(path.with_name("config.json").read_text())["config"]["shard"]
        found[shard["number"]] = json.loads(path.read_text())
    return found


def test_a_killed_shard_goes_on_and_the_masks_are_those_of_old(
    old: Path, predict: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    cases = sorted(path.name for path in (old / "predicted").glob("*.nii.gz"))
    first = tmp_path / "out" / cases[1]
    process = predict("output=out", *SHARDS)
    contract.wait_for(first.is_file, 120)
    os.kill(states(tmp_path)[1]["pid"], signal.SIGKILL)
    written = first.stat().st_mtime_ns
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert f"{len(cases)} predicted" in err
    assert sorted(path.name for path in (tmp_path / "out").glob("*.nii.gz")) == cases
    assert [states(tmp_path)[number]["attempts"] for number in (0, 1)] == [1, 2]
    assert first.stat().st_mtime_ns == written
    for case in cases:
        found, wanted = (
            sitk.GetArrayFromImage(sitk.ReadImage(str(folder / case)))
            for folder in (tmp_path / "out", old / "predicted")
        )
        np.testing.assert_array_equal(found, wanted)


def test_a_bad_case_and_a_wish_to_overwrite(
    predict: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    first, second, *others = sorted((tmp_path / "in").iterdir())
    for path in (second, *others):
        path.unlink()
    second.write_bytes(b"nothing")
    process = predict("output=out", *SHARDS)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 7, err
    case = second.name.removesuffix("_0000.nii.gz")
    assert f"1 of 2 cases could not be predicted: {case}" in err
    assert (tmp_path / "out" / first.name.replace("_0000", "")).is_file()
    process = predict("output=out", "overwrite=true", *SHARDS)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert "overwrite" in err
