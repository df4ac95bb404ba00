"""What docs/plugins/pluggy.md says of each feature of pluggy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest

from nnplug._registration import hooks
from nnplug.catalog import Catalog
from nnplug.hookspecs import PROJECT, hookimpl
from nnplug.plugins import Host, Plugin
from nnplug.types import RemapperSpec

PAGE = Path(__file__).resolve().parents[1] / "docs" / "plugins" / "pluggy.md"
ORDERED = [name for name, hook in hooks().items() if hook.ordered]


def loaded(**plugins: object) -> Host:
    """A host with these plugins, in this order."""
    host = Host.load([])
    for name, module in plugins.items():
        host.add(Plugin(name, f"nnplug-{name}", "1.0"), lambda module=module: module)
    return host


def offering(name: str) -> Callable[[], list[RemapperSpec]]:
    return lambda: [RemapperSpec(name, "mine:Mine")]


def problem(module: object) -> str:
    (broken,) = loaded(mine=module).broken()
    assert broken.name == "mine"
    return str(broken.problem)


def test_the_page_speaks_of_every_option_that_pluggy_has() -> None:
    text = PAGE.read_text(encoding="utf-8")
    options = [*pluggy.HookimplOpts.__annotations__, *pluggy.HookspecOpts.__annotations__]
    assert [option for option in options if f"`{option}" not in text] == []
    methods = {name for name in vars(pluggy.PluginManager) if not name.startswith("_")}
    assert len(methods) > 10
    assert not methods & {*vars(Host)}, "pluggy's manager is not offered"


def test_an_implementation_takes_the_arguments_that_it_needs() -> None:
    told: list[Any] = []
    module = SimpleNamespace(nnplug_after_run=hookimpl(lambda result: told.append(result)))
    for _, call in loaded(mine=module).calls("nnplug_after_run"):
        call(run="run", result="result")
    assert told == ["result"]


def test_specname_names_the_hook_of_a_function_and_several_may_name_one() -> None:
    named = hookimpl(specname="nnplug_remappers")
    module = SimpleNamespace(bones=named(offering("bones")), lungs=named(offering("lungs")))
    catalog = Catalog.build(loaded(mine=module))
    assert catalog.host.broken() == []
    assert {"bones", "lungs"} <= set(catalog.remappers.names())


def test_an_unknown_hook_is_passed_over_if_it_is_optional_and_refused_if_not() -> None:
    function = offering("mine")
    later = SimpleNamespace(nnplug_remapers=hookimpl(optionalhook=True)(function))
    assert loaded(mine=later).broken() == []
    typo = SimpleNamespace(nnplug_remapers=hookimpl(offering("mine")))
    assert problem(typo) == "there is no hook nnplug_remapers; did you mean nnplug_remappers?"


def test_an_object_can_be_a_plugin() -> None:
    class Mine:
        def __init__(self, name: str) -> None:
            self.name = name

        @hookimpl
        def nnplug_remappers(self) -> list[RemapperSpec]:
            return [RemapperSpec(self.name, "mine:Mine")]

    catalog = Catalog.build(loaded(one=Mine("of_one"), two=Mine("of_two")))
    assert catalog.host.broken() == []
    assert {"of_one", "of_two"} <= set(catalog.remappers.names())


def test_a_package_may_have_several_plugins() -> None:
    host = Host.load([])
    for name in ("bones", "lungs"):
        module = SimpleNamespace(nnplug_remappers=hookimpl(offering(name)))
        host.add(Plugin(name, "nnplug-mine", "1.0"), lambda module=module: module)
    catalog = Catalog.build(host)
    assert host.broken() == []
    assert [catalog.remappers.get(name).owner.name for name in ("bones", "lungs")] == [
        *("bones", "lungs"),
    ]


@pytest.mark.parametrize("hook", hooks())
@pytest.mark.parametrize("mark", ["wrapper", "hookwrapper"])
def test_wrappers_are_refused(hook: str, mark: str) -> None:
    module = SimpleNamespace(**{hook: hookimpl(**{mark: True})(lambda: (yield))})  # type: ignore[call-overload]
    assert problem(module) == f"{hook} is a wrapper; hooks of nnplug collect and can't be wrapped"


def test_around_a_run_and_for_config_paths_the_order_counts() -> None:
    before = ["nnplug_config_paths", "nnplug_before_run"]
    assert [*before, "nnplug_epoch_end", "nnplug_after_run", "nnplug_on_error"] == ORDERED


@pytest.mark.parametrize("hook", ORDERED)
def test_tryfirst_and_trylast_order_as_in_pluggy(hook: str) -> None:
    marks = {
        **{"a": {"trylast": True}, "b": {}, "c": {"tryfirst": True}, "d": {}},
        **{"e": {"tryfirst": True}, "f": {}},
    }
    plugins = {
        name: SimpleNamespace(**{hook: hookimpl(**mark)(lambda name=name: [name])})
        for name, mark in marks.items()
    }
    manager = pluggy.PluginManager(PROJECT)
    for module in reversed(plugins.values()):  # the one that was registered last is called first
        manager.register(module)
    stock = [name for (name,) in getattr(manager.hook, hook)()]
    calls = loaded(**plugins).calls(hook)
    assert [plugin.name for plugin, _ in calls] == stock == ["c", "e", "b", "d", "f", "a"]


def test_those_that_want_to_be_last_keep_the_order_of_their_names() -> None:
    last = hookimpl(trylast=True)
    plugins = {name: SimpleNamespace(nnplug_after_run=last(lambda: None)) for name in "abc"}
    assert [plugin.name for plugin, _ in loaded(**plugins).calls("nnplug_after_run")] == [*"abc"]


@pytest.mark.parametrize("hook", [hook for hook in hooks() if hook not in ORDERED])
@pytest.mark.parametrize("mark", ["tryfirst", "trylast"])
def test_where_no_order_shows_asking_for_one_is_refused(hook: str, mark: str) -> None:
    module = SimpleNamespace(**{hook: hookimpl(**{mark: True})(lambda: [])})  # type: ignore[call-overload]
    assert problem(module) == (
        f"{hook} is marked {mark}, but what it returns is chosen by name, in no order"
    )


def test_first_and_last_at_once_is_refused() -> None:
    both = hookimpl(tryfirst=True, trylast=True)
    said = problem(SimpleNamespace(nnplug_after_run=both(lambda: None)))
    assert said == "nnplug_after_run is marked tryfirst and trylast at once"


@pytest.mark.parametrize("hook", hooks())
def test_no_hook_is_historic_or_takes_the_first_result(hook: str) -> None:
    options = getattr(hooks()[hook], f"{PROJECT}_spec")
    assert not any(options.values()), options
