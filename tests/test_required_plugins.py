"""``plugins.required``: enforced before work, with what is wanted, installed and to be done."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from nnplug.config import required
from nnplug.errors import ConfigError, PluginError

Command = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    "listed",
    [None, [], ["nnplug"], ["pluggy>=1.5,<99"], ["PLUGGY!=0.1", "packaging"], ["NNPlug-Dicom"]],
)
def test_what_is_installed_passes(listed: Any) -> None:
    required.check({"required": listed})
    required.check(None)


def test_everything_that_is_missing_is_told_at_once() -> None:
    with pytest.raises(PluginError) as caught:
        required.check({"required": ["pluggy", "nnplug-nowhere~=2.1", "packaging>=9999"]})
    error = caught.value
    assert error.where == "plugins.required"
    assert "nnplug-nowhere~=2.1, which is not installed" in error.problem
    assert f"packaging>=9999, but {version('packaging')} is installed" in error.problem
    assert "pluggy" not in error.problem
    assert error.hint == "pip install 'nnplug-nowhere~=2.1' 'packaging>=9999'"


@pytest.mark.parametrize(
    "listed",
    [
        *("nnplug-dicom", {"nnplug-dicom": 1}, 3),
        *([""], [7], [None], ["nnplug dicom"], ["nnplug-dicom>0.x!"], ["-r evil.txt"]),
        *(["nnplug-dicom @ https://example.org/evil.whl"], ["nnplug-dicom[all]"]),
        ["nnplug-dicom; os_name == 'nt'"],
    ],
)
def test_other_things_are_refused(listed: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        required.check({"required": listed})
    assert caught.value.where == "plugins.required"


def test_a_wrong_key_has_its_near_match() -> None:
    with pytest.raises(ConfigError, match=r"did you mean plugins\.required"):
        required.check({"requires": ["nnplug"]})


@pytest.mark.parametrize("verb", ["convert", "check", "plan", "train", "predict", "best"])
def test_it_is_enforced_before_work(command: Command, tmp_path: Path, verb: str) -> None:
    conf = tmp_path / "nnplug_conf" / "experiment"
    conf.mkdir(parents=True)
    text = '# @package _global_\nplugins: {required: ["nnplug-nowhere>=0.2"]}\n'
    (conf / "picky.yaml").write_text(text)
    before = set(tmp_path.iterdir())
    code, _, err = command(verb, "experiment=picky", "dataset=hippocampus")
    assert code == 3
    assert "nnplug-nowhere>=0.2, which is not installed" in err
    assert set(tmp_path.iterdir()) == before


def test_evaluate_enforces_it_too(command: Command) -> None:
    words = ["reference=a", "prediction=b", "output=c.json", "plugins.required=[nnplug-nowhere]"]
    code, _, err = command("evaluate", *words)
    assert code == 3
    assert "pip install 'nnplug-nowhere'" in err
