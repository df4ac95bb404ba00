"""Names to specs: near names, broken plugins in the hint, one owner a name."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nnplug.catalog import Catalog, load
from nnplug.errors import PluginError
from nnplug.plugins import Host, Plugin
from nnplug.types import ConverterSpec, TrainerSpec


class Fake:
    """A host whose plugins answer from a table instead of from installed code."""

    def __init__(self, answers: dict[str, dict[str, Any]]) -> None:
        self.plugins = [Plugin(name, f"dist-{name}", "1") for name in answers]
        self._answers = answers

    def collect(self, hook: str, **arguments: Any) -> Iterator[tuple[Plugin, Any]]:
        for plugin in self.plugins:
            for item in self._answers[plugin.name].get(hook, ()):
                yield plugin, item

    def broken(self) -> list[Plugin]:
        return [plugin for plugin in self.plugins if plugin.problem]


Build = Callable[..., Catalog]


@pytest.fixture
def built() -> Build:
    def build(**answers: dict[str, Any]) -> Catalog:
        host: Any = Fake(answers)
        return Catalog.build(host)

    return build


def test_two_owners_of_one_name_are_both_named(built: Build) -> None:
    spec = ConverterSpec("dicom", "a:B")
    catalog = built(
        one={"nnplug_converters": [spec]},
        two={"nnplug_converters": [spec], "nnplug_trainers": [TrainerSpec("t", "a:T")]},
    )
    with pytest.raises(PluginError) as caught:
        catalog.converters.get("dicom")
    assert "one (dist-one 1), two (dist-two 1)" in str(caught.value)
    assert "NNPLUG_BLOCK" in str(caught.value.hint)
    assert {plugin.name for plugin in catalog.host.broken()} == {"one", "two"}


def test_an_unknown_name_lists_near_names_and_broken_plugins(built: Build) -> None:
    catalog = built(
        one={"nnplug_converters": [ConverterSpec("dicom", "a:B"), ConverterSpec("mha", "a:C")]},
        two={"nnplug_converters": ["junk"]},
    )
    with pytest.raises(PluginError) as caught:
        catalog.converters.get("dicon")
    hint = str(caught.value.hint)
    assert hint.startswith("did you mean dicom?")
    assert "available: dicom, mha" in hint
    assert "two (dist-two 1) is broken" in hint


def test_a_name_unlike_all_others_says_so(built: Build) -> None:
    with pytest.raises(PluginError, match="there is no similar name; available: none"):
        built(one={}).trainers.get("xyz")


@pytest.mark.parametrize("target", ["no_such_module_:X", "json:NoSuchName", "json", ":", ""])
def test_a_target_that_cannot_be_imported_names_its_plugin(target: str) -> None:
    with pytest.raises(PluginError, match="plugin mine") as caught:
        load(ConverterSpec("c", target), "mine")
    assert repr(target) in str(caught.value)


def test_a_target_is_imported() -> None:
    import json

    assert load(ConverterSpec("c", "json:JSONDecoder"), "mine") is json.JSONDecoder


def test_a_target_that_exits_is_an_error_of_the_plugin(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exiting_target.py").write_text("raise SystemExit(0)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match="SystemExit"):
        load(ConverterSpec("c", "exiting_target:X"), "mine")


def test_the_core_offers_nifti_and_the_stock_trainers() -> None:
    catalog = Catalog.build(Host.load([]))
    assert catalog.host.broken() == []
    assert catalog.converters.names() == ["nifti"]
    assert catalog.trainers.names() == ["v2", "v2_ddp", "v2_dp"]
    assert [entry.spec.data_parallel for entry in catalog.trainers] == [False, True, False]
    assert [entry.spec.distributed for entry in catalog.trainers] == [False, False, True]


def test_building_the_catalog_of_everything_installed_imports_nothing_heavy() -> None:
    code = (
        "import sys; from nnplug.catalog import Catalog; Catalog.build(); "
        "print([m for m in ('torch', 'nnunet', 'SimpleITK', 'numpy', 'hydra') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("collecting", [True, False])
def test_building_leaves_the_garbage_collector_as_it_was(collecting: bool) -> None:
    (gc.enable if collecting else gc.disable)()
    try:
        Catalog.build(Host.load([]))
        assert gc.isenabled() is collecting
    finally:
        gc.enable()
