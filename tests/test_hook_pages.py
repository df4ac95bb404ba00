"""Every hook has a page that is up to date, with an example that nnplug accepts."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import hook_pages
import pytest

from nnplug import types
from nnplug._registration import hooks
from nnplug.catalog import Catalog
from nnplug.hookspecs import hookimpl
from nnplug.plugins import Host, Plugin

AGAIN = "`python tests/hook_pages.py` writes the pages anew"


@dataclass(frozen=True)
class MineOptions:
    strength: float = 1.0


def test_the_pages_are_up_to_date() -> None:
    here = {path.name: path.read_text(encoding="utf-8") for path in hook_pages.FOLDER.glob("*.md")}
    assert here == hook_pages.pages(), AGAIN


@pytest.mark.parametrize("name", list(hooks()))
def test_a_hook_is_described_whole(name: str) -> None:
    found = hook_pages.parts(hooks()[name])
    collects = "None" not in str(hooks()[name].__annotations__["return"])
    assert set(found) == {"", "When", "Errors", "Example"} | ({"Result"} if collects else set())
    assert all(found.values())


@pytest.mark.parametrize("name", [name for name in hooks() if name != "nnplug_config_paths"])
def test_an_example_is_a_plugin(name: str) -> None:
    words: dict[str, Any] = {**vars(types), "hookimpl": hookimpl, "MineOptions": MineOptions}
    exec(hook_pages.parts(hooks()[name])["Example"], words)
    host = Host.load([])
    plugin = Plugin("mine", "nnplug-mine", "1.0")
    host.add(plugin, lambda: SimpleNamespace(**{name: words[name]}))
    catalog = Catalog.build(host)
    assert plugin.problem is None
    assert [plugin for plugin, _ in host.calls(name) if plugin.name == "mine"]
    if "Spec" in str(hooks()[name].__annotations__["return"]):
        shelf = getattr(catalog, name.removeprefix("nnplug_"))
        assert shelf.get("mine").owner is plugin
