"""``nnplug new-plugin``: packages that are whole, and names that are refused."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from nnplug.scaffold.kinds import KINDS
from nnplug.scaffold.package import package
from nnplug.testing.host import subject

Command = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("kinds", [[kind] for kind in KINDS] + [list(KINDS)], ids=" ".join)
def test_every_file_of_a_package_can_be_read(kinds: list[str]) -> None:
    made = package("nnplug-my-own", kinds)
    for path, text in made.items():
        assert "$" not in text, path
        if path.endswith(".py"):
            ast.parse(text)
            assert max(map(len, text.splitlines()), default=0) <= 100, path
        elif path.endswith((".yaml", ".yml")):
            assert yaml.safe_load(text), path
    project = tomllib.loads(made["pyproject.toml"])["project"]
    assert project["entry-points"]["nnplug"] == {"my_own": "nnplug_my_own.plugin"}


@pytest.mark.parametrize("kinds", [[kind] for kind in KINDS] + [["all"]], ids=" ".join)
def test_a_new_plugin_offers_what_was_asked_for(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: list[str]
) -> None:
    name = f"nnplug-new-{kinds[0]}"
    code, out, err = command("new-plugin", name, *(f"--kind={kind}" for kind in kinds))
    assert (code, err) == (0, "")
    assert out.startswith(f"{name}\n")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    monkeypatch.syspath_prepend(tmp_path / name / "src")
    module = f"{name.replace('-', '_')}.plugin"
    _, mine = subject(module)
    assert mine.problem is None
    wanted = list(KINDS) if kinds == ["all"] else kinds
    shelves = {"remapper": "remap", "postprocess": "remap"}
    assert {*mine.offers} - {"configs"} == {shelves.get(kind, kind) for kind in wanted}
    for loaded in [one for one in sys.modules if one.startswith(module.partition(".")[0])]:
        del sys.modules[loaded]


@pytest.mark.parametrize("name", ["", "Mine", "my plugin", "../mine", "my_plugin", "-a", "nnplug"])
def test_a_name_that_no_package_can_have_is_refused(command: Command, name: str) -> None:
    code, _, err = command("new-plugin", "--kind=trainer", "--", name)
    assert code == 2
    assert "can't be the name of a package" in err


def test_what_is_there_is_left_alone(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    code, _, err = command("new-plugin", "mine", "--kind=trainer")
    assert code == 8
    assert "there is something already" in err
    assert list((tmp_path / "mine").iterdir()) == []
