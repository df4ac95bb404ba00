"""check finds every mistake of a task folder at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnplug.config.settings import DataSettings
from nnplug.errors import DataError
from nnplug.stages import check

Make = Callable[..., DataSettings]
SHAPE = (4, 5, 6)


@pytest.fixture
def task(toy_task: Path, save: Any) -> Path:
    """A task of two training cases and a test case, made by hand."""
    rng = np.random.default_rng(0)
    for folder, name in (("imagesTr", "a"), ("imagesTr", "b"), ("imagesTs", "c")):
        values = rng.integers(0, 99, SHAPE).astype(np.int16)
        save(toy_task / folder / f"{name}_0000.nii.gz", values)
        if folder == "imagesTr":
            label = (values > 50).astype(np.uint8)
            save(toy_task / "labelsTr" / f"{name}.nii.gz", label)
    write(toy_task)
    return toy_task


def write(task: Path, **changes: Any) -> None:
    content: dict[str, Any] = {
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "liver"},
        "numTraining": 2,
        "numTest": 1,
        "training": [
            {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}
            for name in "ab"
        ],
        "test": ["./imagesTs/c.nii.gz"],
    }
    (task / "dataset.json").write_text(json.dumps({**content, **changes}))


def mistakes(settings: DataSettings) -> str:
    with pytest.raises(DataError) as caught:
        check.run(settings)
    return caught.value.problem


def test_a_good_task_passes(task: Path, settings: Make, capfd: pytest.CaptureFixture[str]) -> None:
    check.run(settings(None))
    assert "3 cases, no mistake found" in capfd.readouterr().err


def test_all_mistakes_are_listed_together(task: Path, settings: Make, save: Any) -> None:
    save(task / "imagesTr" / "a_0000.nii.gz", np.ones((4, 5, 7), np.int16))
    save(task / "labelsTr" / "b.nii.gz", np.full(SHAPE, 3, np.uint8), origin=(0, 0, 0))
    save(task / "imagesTs" / "c_0000.nii.gz", np.zeros(SHAPE, np.int16))
    save(task / "imagesTr" / "stray_0000.nii.gz", np.zeros(SHAPE, np.int16))
    found = mistakes(settings(None))
    assert found.startswith("6 mistakes")
    for text in (
        "a: files are not on one grid: size (7, 5, 4) against (6, 5, 4)",
        "b: files are not on one grid: origin",
        "b: label values (voxels) that dataset.json lacks: {3: 120}",
        "c: c_0000.nii.gz has the same value everywhere",
        "imagesTr/stray_0000.nii.gz is not listed in dataset.json",
    ):
        assert text in found


def test_an_empty_label_is_a_mistake(task: Path, settings: Make, save: Any) -> None:
    save(task / "labelsTr" / "a.nii.gz", np.zeros(SHAPE, np.uint8))
    found = mistakes(settings(None))
    assert "a: the label is empty" in found


def test_missing_and_damaged_files_are_mistakes(task: Path, settings: Make) -> None:
    (task / "labelsTr" / "a.nii.gz").unlink()
    (task / "imagesTr" / "b_0000.nii.gz").write_bytes(b"")
    found = mistakes(settings(None))
    assert "a: a.nii.gz: there is no such file" in found
    assert "b: b_0000.nii.gz: the file is empty" in found


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"numTraining": 7}, "numTraining is 7, but 2 are listed"),
        ({"labels": {"0": "background", "2": "liver"}}, "labels are [0, 2], not consecutive"),
        ({"labels": {"zero": "background"}}, "labels"),
        ({"labels": ["background", "liver"]}, "labels"),
        ({"modality": ["CT"]}, "modality"),
        ({"training": ["./imagesTr/a.nii.gz"]}, "training"),
        ({"training": [{"picture": "./imagesTr/a.nii.gz"}]}, "training"),
        ({"test": [7]}, "test"),
    ],
)
def test_a_wrong_dataset_json_is_a_mistake(
    task: Path, settings: Make, changes: dict[str, Any], text: str
) -> None:
    write(task, **changes)
    assert f"dataset.json: {text}" in mistakes(settings(None))


def test_missing_fields_are_mistakes(task: Path, settings: Make) -> None:
    (task / "dataset.json").write_text("{}")
    found = mistakes(settings(None))
    for key in ("modality", "labels", "training", "test", "numTraining", "numTest"):
        assert f"dataset.json: {key} is missing" in found


def test_a_task_that_was_not_converted_says_what_to_do(settings: Make) -> None:
    with pytest.raises(DataError, match=r"not \(completely\) converted") as caught:
        check.run(settings(None))
    assert "nnplug convert" in str(caught.value.hint)
