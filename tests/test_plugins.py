"""Loading plugins: guarded one by one, blocked before import, errors with their owner."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nnplug.catalog import Catalog
from nnplug.errors import PluginError
from nnplug.plugins import Host

Write = Callable[..., EntryPoint]

GOOD = """
from nnplug.hookspecs import hookimpl
from nnplug.types import ConverterSpec

@hookimpl
def nnplug_converters():
    return [ConverterSpec("{name}", "{name}_target:Converter")]
"""


class FakeEntry(EntryPoint):
    """An entry point with a distribution of the test's making."""

    @property
    def dist(self) -> Any:  # type: ignore[override]
        return SimpleNamespace(name=f"dist-of-{self.name}", version="1.2")


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """``plugin("mine", code)`` writes the module ``mine_plugin`` and returns its entry point."""
    monkeypatch.syspath_prepend(tmp_path)
    written = set()

    def write(name: str, code: str = GOOD, module: str = "") -> EntryPoint:
        module = module or f"{name}_plugin"
        written.add(module)
        (tmp_path / f"{module}.py").write_text(code.replace("{name}", name))
        return FakeEntry(name, module, "nnplug")

    yield write
    for module in written:
        sys.modules.pop(module, None)


def named(host: Host, name: str) -> Any:
    (found,) = [plugin for plugin in host.plugins if plugin.name == name]
    return found


def test_a_plugin_is_loaded_with_its_distribution(plugin: Write) -> None:
    catalog = Catalog.build(Host.load([plugin("good")]))
    found = named(catalog.host, "good")
    assert (found.distribution, found.version, found.problem) == ("dist-of-good", "1.2", None)
    assert found.offers == {"converter": ["good"]}
    assert catalog.converters.get("good").owner is found


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import sys; sys.exit('bye')", "SystemExit: bye"),
        ("import not_installed_anywhere", "ModuleNotFoundError"),
        ("def (", "SyntaxError"),
        (GOOD.replace("nnplug_converters", "nnplug_convertrs"), "nnplug_convertrs"),
        (GOOD.replace("nnplug_converters()", "nnplug_converters(sauce)"), "sauce"),
    ],
    ids=["raises", "exits", "imports-missing", "syntax", "misspelt-hook", "wrong-argument"],
)
def test_a_broken_plugin_is_named_and_the_others_go_on(
    plugin: Write, code: str, reason: str
) -> None:
    host = Host.load([plugin("broken_one", code), plugin("good")])
    catalog = Catalog.build(host)
    assert reason in named(host, "broken_one").problem
    assert [p.name for p in host.broken()] == ["broken_one"]
    assert catalog.converters.names() == ["good", "nifti"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise KeyError('x')", "nnplug_converters: KeyError: 'x'"),
        ("raise SystemExit(1)", "nnplug_converters: SystemExit: 1"),
        ("return 5", "nnplug_converters: TypeError"),
        ("return ['nifti2']", "must return ConverterSpec objects, not 'nifti2'"),
    ],
    ids=["raises", "exits", "not-iterable", "wrong-type"],
)
def test_a_hook_that_misbehaves_is_attributed(plugin: Write, body: str, reason: str) -> None:
    code = GOOD.replace('return [ConverterSpec("{name}", "{name}_target:Converter")]', body)
    host = Host.load([plugin("bad", code), plugin("good")])
    catalog = Catalog.build(host)
    assert reason in named(host, "bad").problem
    assert [p.name for p in host.broken()] == ["bad"]
    assert catalog.converters.names() == ["good", "nifti"]


@pytest.mark.parametrize("blocked", ["evil", "dist-of-evil", " other , evil"])
def test_a_blocked_plugin_is_not_imported(
    plugin: Write, blocked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = plugin("evil", "import sys; sys.modules['evil_was_here'] = sys")
    host = Host.load([entry, plugin("good")], {"NNPLUG_BLOCK": blocked})
    assert "evil_was_here" not in sys.modules
    assert named(host, "evil").blocked
    assert host.broken() == []
    with pytest.raises(PluginError, match=r"the plugin evil \(dist-of-evil 1\.2\) is blocked"):
        Catalog.build(host).converters.get("evil")


def test_two_plugins_of_one_name_are_told(plugin: Write) -> None:
    host = Host.load([plugin("twin", module="twin_a"), plugin("twin", module="twin_b")])
    problems = [p.problem for p in host.plugins if p.name == "twin"]
    assert problems == [None, "the name 'twin' is taken by another plugin"]


def test_one_module_under_two_names_keeps_the_first(plugin: Write) -> None:
    first, second = plugin("alias_a", module="aliased"), plugin("alias_b", module="aliased")
    host = Host.load([first, second])
    catalog = Catalog.build(host)
    assert named(host, "alias_a").offers == {"converter": ["alias_b"]}
    assert "already" in named(host, "alias_b").problem
    assert catalog.converters.names() == ["alias_b", "nifti"]


@pytest.mark.parametrize("path", ["mine.conf", "pkg://nowhere_at_all.conf", "pkg://nnplug/nowhere"])
def test_a_config_path_that_is_not_there_marks_the_plugin(plugin: Write, path: str) -> None:
    code = f"""
from nnplug.hookspecs import hookimpl

@hookimpl
def nnplug_config_paths():
    return [{path!r}]
"""
    catalog = Catalog.build(Host.load([plugin("paths", code)]))
    assert catalog.config_paths == []
    assert path in named(catalog.host, "paths").problem
