"""A wrong key in a file of a config group is told with the file, and the plugin if it has one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import nnplug
from nnplug.errors import ConfigError

Command = Callable[..., tuple[int, str, str]]
PLUGIN = """
from nnplug.hookspecs import hookimpl

@hookimpl
def nnplug_config_paths():
    return ["pkg://wrong_keys.conf"]
"""
FILES = {
    "trainer/brief.yaml": "name: v2\nepcohs: 3\n",
    "experiment/brief.yaml": "# @package _global_\ntrainer:\n  optoins: {a: 1}\n",
    "dataset/brief.yaml": "name: Brief\ntask_id: 310\nchanels: {0: CT}\n",
}


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    site = tmp_path / "site"
    record = site / "wrong_keys-1.0.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: wrong-keys\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[nnplug]\nwrong = wrong_keys.plugin\n")
    for name, text in {"__init__.py": "", "conf/__init__.py": "", "plugin.py": PLUGIN}.items():
        path = site / "wrong_keys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    write(site / "wrong_keys" / "conf")
    monkeypatch.syspath_prepend(site)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "wrong_keys"]:
        del sys.modules[name]


def write(folder: Path) -> None:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("word", "key", "near"),
    [
        ("trainer=brief", "trainer.epcohs", "trainer.epochs"),
        ("experiment=brief", "trainer.optoins", "trainer.options"),
        ("dataset=brief", "dataset.chanels", "dataset.channels"),
    ],
)
def test_a_plugins_file_is_named(command: Command, word: str, key: str, near: str) -> None:
    words = [word] if word.startswith("dataset") else [word, "dataset=hippocampus"]
    code, _, err = command("train", *words)
    assert code == 2
    file = f"{word.replace('=', '/')}.yaml"
    assert f"{key} in pkg://wrong_keys.conf/{file} (plugin wrong): there is no such key" in err
    assert f"did you mean {near}" in err


@pytest.mark.parametrize("word", ["trainer=brief", "experiment=brief"])
def test_functions_name_the_file_too(word: str) -> None:
    with pytest.raises(ConfigError) as told:
        nnplug.train(["dataset=hippocampus", word])
    file = f"{word.replace('=', '/')}.yaml"
    assert f"in pkg://wrong_keys.conf/{file} (plugin wrong)" in str(told.value.where)


def test_the_users_own_file_is_named(command: Command, tmp_path: Path) -> None:
    write(tmp_path / "nnplug_conf")
    code, _, err = command("train", "trainer=brief", "dataset=hippocampus")
    assert code == 2
    assert f"trainer.epcohs in file://{tmp_path}/nnplug_conf/trainer/brief.yaml: there" in err


def test_a_key_of_the_command_line_has_no_file(command: Command) -> None:
    code, _, err = command("train", "dataset=hippocampus", "+trainer.epcohs=3")
    assert code == 2
    assert "\ntrainer.epcohs: there" in f"\n{err}".replace("nnplug: ", "\n").replace(
        "error: ", "\n"
    )
