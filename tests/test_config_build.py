"""From plain values to dataclasses: what fits, what is refused, and in which words."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from nnplug.config.build import build
from nnplug.errors import ConfigError


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    size: int = 1

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1, not {self.size}")


@dataclass(frozen=True)
class Outer:
    name: str
    count: int = 1
    rate: float = 0.5
    on: bool = False
    where: Path = Path()
    maybe: int | None = None
    mixed: str | dict[str, str] | None = None
    channels: dict[int, str] = field(default_factory=dict)
    spacing: tuple[float, float, float] | None = None
    many: tuple[int, ...] = ()
    items: list[int] = field(default_factory=list)
    loose: Sequence[Any] = ()
    table: Mapping[str, Any] = field(default_factory=dict)
    fold: Literal[0, 1, "all"] = 0
    colour: Colour = Colour.RED
    inner: Inner = Inner()


def test_values_become_their_types() -> None:
    made = build(
        Outer,
        {
            "name": "x",
            "rate": 2,
            "where": "~/a",
            "maybe": 3,
            "mixed": {"a": "b"},
            "channels": {"0": "CT", 1: "PT"},
            "spacing": [1, 2.5, 3],
            "many": [1, 2],
            "items": [4],
            "fold": "all",
            "colour": "blue",
            "inner": {"size": 7},
        },
    )
    assert isinstance(made.rate, float)
    assert made.where == Path.home() / "a"
    assert made.channels == {0: "CT", 1: "PT"}
    assert made.spacing == (1.0, 2.5, 3.0)
    assert made.many == (1, 2)
    assert made.inner == Inner(7)
    assert (made.maybe, made.mixed, made.items) == (3, {"a": "b"}, [4])
    assert (made.fold, made.colour) == ("all", Colour.BLUE)


def test_null_means_the_default_unless_none_is_a_value() -> None:
    made = build(Outer, {"name": "x", "count": None, "items": None, "maybe": None, "inner": None})
    assert (made.count, made.items, made.maybe, made.inner) == (1, [], None, Inner())


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("count", "many", "a whole number"),
        ("count", 1.0, "a whole number"),
        ("count", True, "a whole number"),
        ("rate", "fast", "a number"),
        ("on", 1, "true or false"),
        ("on", "yes", "true or false"),
        ("name", 7, "text is wanted"),
        ("where", 7, "a path"),
        ("maybe", "x", "a whole number"),
        ("mixed", 7, "text is wanted"),
        ("channels", "CT", "a mapping"),
        ("channels", {"zero": "CT"}, "a whole number"),
        ("channels", {"--1": "CT"}, "a whole number"),
        ("channels", {"²": "CT"}, "a whole number"),
        ("spacing", [1, 2], "a list of 3 values"),
        ("spacing", "111", "a list"),
        ("many", 5, "a list"),
        ("table", [1], "a mapping"),
        ("inner", 3, "keys and values"),
    ],
)
def test_a_wrong_type_is_refused_with_the_key(key: str, value: object, text: str) -> None:
    with pytest.raises(ConfigError, match=text) as caught:
        build(Outer, {"name": "x", key: value}, "top")
    assert str(caught.value.where).startswith(f"top.{key}")


def test_a_wrong_item_is_named_by_its_place() -> None:
    with pytest.raises(ConfigError) as caught:
        build(Outer, {"name": "x", "items": [1, "two"]})
    assert caught.value.where == "items[1]"


@pytest.mark.parametrize("value", [2, "al", True, 1.0, None])
def test_a_literal_takes_only_its_own_values(value: object) -> None:
    if value is None:
        assert build(Outer, {"name": "x", "fold": None}).fold == 0
        return
    with pytest.raises(ConfigError, match="one of: 0, 1, all"):
        build(Outer, {"name": "x", "fold": value})


def test_a_choice_is_corrected() -> None:
    with pytest.raises(ConfigError, match="did you mean blue"):
        build(Outer, {"name": "x", "colour": "blu"})


def test_an_unknown_key_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"inner\.sise: there is no such key") as caught:
        build(Outer, {"name": "x", "inner": {"sise": 3}})
    assert caught.value.hint == "did you mean inner.size?"
    with pytest.raises(ConfigError, match=r"known keys: inner\.size"):
        build(Outer, {"name": "x", "inner": {"qqqqqqqqqqqqqqq": 3}})


@pytest.mark.parametrize("values", [{}, {"name": None}, {"name": "???"}])
def test_a_missing_value_says_how_to_give_it(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="a value is missing") as caught:
        build(Outer, values, "top")
    assert caught.value.where == "top.name"
    assert caught.value.hint == "give it as top.name=VALUE"


def test_a_value_out_of_range_is_refused_at_its_place() -> None:
    with pytest.raises(ConfigError, match="size must be at least 1, not 0") as caught:
        build(Outer, {"name": "x", "inner": {"size": 0}}, "top")
    assert caught.value.where == "top.inner"
