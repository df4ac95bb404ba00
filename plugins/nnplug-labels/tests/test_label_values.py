"""The remappers that ask for a value alone: what becomes of each."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from nnplug.config.build import build
from nnplug.errors import ConfigError
from nnplug.types import RemapperSpec, ValueRemapper, VoxelRemapper
from nnplug_labels import options
from nnplug_labels.plugin import nnplug_remappers

SPECS = {spec.name: spec for spec in nnplug_remappers()}


def make(spec: RemapperSpec, given: dict[str, Any]) -> Any:
    """As nnplug constructs it."""
    from importlib import import_module

    module, _, name = spec.target.partition(":")
    assert spec.options is not None
    return getattr(import_module(module), name)(build(spec.options, given))


ORGANS = {1: "Spleen", 2: "lung_upper_lobe_left", 3: "lung_lower_lobe_left", 9: "liver"}
CASES: list[tuple[str, dict[str, Any], dict[int, int | str | None], set[int]]] = [
    ("table", {"table": {0: 0, 127: 1, "255": 2}}, {0: 0, 127: 1, 255: 2, 3: None}, {127, 255}),
    ("merge", {"merge": {1: [1, 2], 2: [3]}}, {0: 0, 1: 1, 2: 1, 3: 2, 4: None}, {1, 2, 3}),
    ("merge", {"merge": {0: [4], 1: [0]}}, {4: 0, 0: 1}, {4}),
    ("drop", {"values": [2, 4]}, {0: 0, 1: 1, 2: 0, 3: 2, 4: 0, 5: 3, -1: None}, {2, 4}),
    ("keep", {"values": [7, 1]}, {0: 0, 7: 1, 1: 2, 3: 0}, {1, 7}),
    ("binarize", {}, {0: 0, 1: 1, 255: 1, -1: 1}, set()),
    ("binarize", {"values": [3, 5]}, {0: 0, 1: 0, 3: 1, 5: 1}, {3, 5}),
    (
        "by_name",
        {"names": ORGANS, "keep": {"left lung": ["LUNG_*_left"], "liver": ["liver"]}},
        {0: 0, 1: 0, 2: "left lung", 3: "left lung", 9: "liver", 5: None},
        {2, 3, 9},
    ),
]


@pytest.mark.parametrize(("name", "given", "expected", "keys"), CASES)
def test_what_becomes_of_a_value(
    name: str, given: dict[str, Any], expected: dict[int, Any], keys: set[int]
) -> None:
    remapper = pickle.loads(pickle.dumps(make(SPECS[name], given)))
    assert isinstance(remapper, ValueRemapper)
    assert {old: remapper.value(old) for old in expected} == expected
    assert set(remapper.keys) == keys


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("table", {"table": {}}, "needs entries"),
    ("table", {"table": {-1: 0}}, "integers of 0"),
    ("table", {"table": {0: 70000}}, "integers of 0"),
    ("merge", {"merge": {}}, "needs entries"),
    ("merge", {"merge": {1: [1, 2], 2: [2]}}, "names 2 twice"),
    ("drop", {"values": []}, "not background"),
    ("drop", {"values": [0]}, "not background"),
    ("keep", {"values": [3, 3]}, "names 3 twice"),
    ("keep", {}, "missing"),
    ("binarize", {"values": []}, "not background"),
    ("by_name", {"names": ORGANS, "keep": {}}, "need entries"),
    ("by_name", {"names": ORGANS, "keep": {"k": ["kidney"]}}, "no name fits 'kidney'.*liver"),
    ("by_name", {"names": ORGANS, "keep": {"a": ["liv*"], "b": ["liver"]}}, "fits two labels"),
    ("by_name", {"names": "/no/such.json", "keep": {"a": ["liver"]}}, "can't be read"),
    ("largest_component", {"connectivity": 18}, "18"),
    ("largest_component", {"labels": [0]}, "not background"),
]


@pytest.mark.parametrize(("name", "given", "reason"), WRONG)
def test_options_that_are_refused(name: str, given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        make(SPECS[name], given)


@pytest.mark.parametrize(
    "given",
    [None, [1, 2], {"a": 0}, {0: 0.5}, {0: None}, {True: 0}, {0: 0, "0": 1}, {"\u0663": 0}],
)
def test_tables_that_are_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="table"):
        options.TableOptions(given)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.json", json.dumps({"1": "liver", "12": "lobe 2"})),
        ("b.json", json.dumps({"liver": 1, "lobe 2": 12})),
        ("c.csv", "value,name,colour\n1,liver,#ff0000\n12,lobe 2,#00ff00\n"),
        ("d.tsv", "1\tliver\n12\tlobe 2\n"),
        ("slicer.ctbl", "# Color table\n1 liver 221 130 101 255\n12 lobe 2 1 2 3 255\n"),
        (
            "itksnap.txt",
            '# IDX R G B A V M LABEL\n1 255 0 0 1 1 1 "liver"\n12 0 0 0 1 1 1 "lobe 2"\n',
        ),
    ],
)
def test_names_from_a_file(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    made = options.ByNameOptions(str(tmp_path / file), {"a": ["lobe 2"], "b": ["liver"]})
    assert made.names == {1: "liver", 12: "lobe 2"}


def test_a_file_without_names_is_refused(tmp_path: Path) -> None:
    for name, text in (("a.txt", "nothing\n"), ("a.json", "[1]"), ("b.txt", "1 a\n1 b\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=name):
            options.ByNameOptions(str(tmp_path / name), {"a": ["liver"]})


def test_the_plugin_says_what_it_offers() -> None:
    assert all(spec.summary and spec.options is not None for spec in SPECS.values())
    component = make(SPECS["largest_component"], {})
    assert isinstance(component, VoxelRemapper)
    assert not isinstance(component, ValueRemapper)
