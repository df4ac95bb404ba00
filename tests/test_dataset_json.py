"""Mistakes in dataset.json are named, and nnU-Net's own check trips over those that are errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from nnunet.preprocessing.sanity_checks import verify_dataset_integrity

from nnplug.catalog import Catalog
from nnplug.config.settings import DataSettings
from nnplug.data import dataset_json
from nnplug.data.problems import Problem
from nnplug.stages import convert


@pytest.fixture
def task(tmp_path: Path, save: Any) -> Path:
    """A task of two training cases and a test case that is as nnU-Net wants it."""
    values = np.arange(120, dtype=np.int16).reshape(4, 5, 6)
    for folder, name in (("imagesTr", "a"), ("imagesTr", "b"), ("imagesTs", "c")):
        save(tmp_path / folder / f"{name}_0000.nii.gz", values)
    for name in "ab":
        save(tmp_path / "labelsTr" / f"{name}.nii.gz", (values > 50).astype(np.uint8))
    return tmp_path


def description(**changes: Any) -> dict[str, Any]:
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
    return {**content, **changes}


def found(value: dict[str, Any], task: Path) -> list[Problem]:
    return dataset_json.unreadable(value) or dataset_json.mistakes(value, task)


def stock_refuses(task: Path, value: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether nnU-Net 1.7.1's integrity check fails."""

    class InProcess:
        def __init__(self, processes: int) -> None: ...

        def starmap(self, function: Callable[..., Any], arguments: Any) -> list[Any]:
            return [function(*each) for each in arguments]

        def map(self, function: Callable[..., Any], arguments: Any) -> list[Any]:
            return [function(each) for each in arguments]

        def close(self) -> None: ...

        def join(self) -> None: ...

    monkeypatch.setattr("nnunet.preprocessing.sanity_checks.Pool", InProcess)
    (task / "dataset.json").write_text(json.dumps(value))
    try:
        verify_dataset_integrity(str(task))
    except Exception:
        return True
    return False


def test_a_good_one_has_no_mistake(task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(description(), task) == []
    assert not stock_refuses(task, description(), monkeypatch)


ONE = {"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}
FATAL = [
    ({"labels": {"0": "background", "2": "liver"}}, "labels are [0, 2], not consecutive"),
    ({"labels": {"1": "liver"}}, "labels are [1], not consecutive"),
    ({"labels": {"background": 0, "liver": 1}}, "labels must be numbers and names"),
    ({"labels": ["background", "liver"]}, "labels must be numbers and names"),
    ({"modality": ["CT"]}, "modality must be numbers and names"),
    ({"training": ["./imagesTr/a.nii.gz"]}, "training must list"),
    ({"training": [{"picture": "./imagesTr/a.nii.gz"}]}, "training must list"),
    ({"test": [7]}, "test must list"),
    ({"test": [{"image": "./imagesTs/c.nii.gz"}]}, "test must list"),
    ({"training": [ONE]}, "imagesTr/b_0000.nii.gz: is not listed in dataset.json"),
    ({"test": ["./imagesTs/c_0000.nii.gz"]}, "carries a channel number"),
    ({"training": [ONE, ONE]}, "training lists it 2 times"),
    ({"test": ["./imagesTs/c.nii"]}, "does not end in .nii.gz"),
]


@pytest.mark.parametrize(("changes", "text"), FATAL)
def test_what_nnunet_fails_on_is_an_error(
    task: Path, changes: dict[str, Any], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = description(**changes)
    assert stock_refuses(task, value, monkeypatch)
    assert any(text in str(problem) and problem.level == "error" for problem in found(value, task))


@pytest.mark.parametrize(
    ("changes", "level", "text"),
    [
        ({"numTraining": 7}, "error", "numTraining is 7, but 2 are listed"),
        ({"modality": {"1": "CT"}}, "error", "modality are [1], not consecutive"),
        ({"labels": {"0": 0, "1": 1}}, "error", "labels: 0 must have a name, not 0"),
        ({"labels": {"0": "liver", "1": "spleen"}}, "warning", "label 0 is called 'liver'"),
        ({"test": ["./imagesTr/c.nii.gz"]}, "warning", "does not lie in imagesTs"),
        ({"channel_names": {"0": "CT"}}, "warning", "key of nnU-Net v2"),
        ({"training": [{**ONE, "label": "./labelsTr/b.nii.gz"}]}, "error", "is not called as"),
        ({"test": ["./imagesTs/a.nii.gz"]}, "error", "is listed for training and for test"),
    ],
)
def test_what_nnunet_takes_in_silence_is_found_too(
    task: Path, changes: dict[str, Any], level: str, text: str
) -> None:
    problems = found(description(**changes), task)
    assert any(text in str(problem) and problem.level == level for problem in problems)


@pytest.mark.parametrize("key", dataset_json.KEYS)
def test_a_missing_key_is_named(task: Path, key: str) -> None:
    value = description()
    del value[key]
    assert any(f"{key} is missing" in str(problem) for problem in found(value, task))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("imagesTr/a.nii.gz", "has no channel number: call it a_0000.nii.gz"),
        ("imagesTr/a_0001.nii.gz", "is one channel more than the 1 of modality"),
        ("imagesTr/d.nii", "does not end in .nii.gz"),
        ("labelsTr/a_0000.nii.gz", "is not listed in dataset.json"),
    ],
)
def test_files_beside_the_listed_ones_are_named(task: Path, name: str, text: str) -> None:
    (task / name).write_bytes(b"")
    (problem,) = found(description(), task)
    assert (problem.file, problem.level) == (name, "error")
    assert text in problem.text


def test_what_nnplug_writes_has_no_mistake_and_its_pictures_bother_nobody(
    cohort: Callable[..., Path],
    settings: Callable[..., DataSettings],
    core_catalog: Catalog,
    toy_task: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    convert.run(settings(cohort("p1", "p2")), core_catalog)
    assert len(list((toy_task / "qc").glob("*.png"))) == 2
    value = json.loads((toy_task / "dataset.json").read_text())
    assert found(value, toy_task) == []
    assert not stock_refuses(toy_task, value, monkeypatch)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
ENTRY = st.fixed_dictionaries({"image": ANYTHING, "label": ANYTHING}) | ANYTHING


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "modality": ANYTHING,
            "labels": ANYTHING,
            "training": st.lists(ENTRY, max_size=3) | ANYTHING,
            "test": st.lists(ANYTHING, max_size=3) | ANYTHING,
            "numTraining": ANYTHING,
            "numTest": ANYTHING,
        },
    )
)
@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_it_holds_nothing_is_raised(task: Path, value: dict[str, Any]) -> None:
    assert all(problem.text for problem in found(value, task))
