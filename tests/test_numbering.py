"""Identifiers, subjects and the held-out part."""

from __future__ import annotations

from typing import Any

import pytest

from nnplug.data.numbering import Numbered, number
from nnplug.errors import ConfigError, SourceError
from nnplug.types import CaseSource


def cases(*names: str, **more: Any) -> list[CaseSource]:
    return [CaseSource(name, (), **more) for name in names]


def held_out(numbered: list[Numbered]) -> set[str]:
    return {one.source.name for one in numbered if one.split == "test"}


def test_test_cases_are_numbered_on_after_training_cases() -> None:
    found = number(cases("b", "a", "c"), "Toy", test=["a"])
    assert [(one.source.name, one.identifier, one.split) for one in found] == [
        ("b", "Toy_000", "train"),
        ("c", "Toy_001", "train"),
        ("a", "Toy_002", "test"),
    ]


def test_more_than_a_thousand_cases_have_different_identifiers() -> None:
    found = number(cases(*map(str, range(1001))), "Toy")
    assert len({one.identifier for one in found}) == 1001
    assert found[-1].identifier == "Toy_1000"


def test_patterns_choose_test_cases() -> None:
    found = number(cases("siteA_1", "siteA_2", "siteB_1"), "Toy", test=["siteA_*"])
    assert held_out(found) == {"siteA_1", "siteA_2"}


def test_a_pattern_that_fits_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"dataset\.test: 'x\*' fits no case"):
        number(cases("a"), "Toy", test=["x*"])


def test_the_source_may_fix_the_split() -> None:
    found = number([*cases("a", split="test"), *cases("b", split="train")], "Toy")
    assert held_out(found) == {"a"}


def test_unlabelled_cases_are_all_test_cases() -> None:
    assert held_out(number(cases("a", "b"), "Toy", unlabelled=True)) == {"a", "b"}


@pytest.mark.parametrize(
    ("rule", "subjects"),
    [
        (r"(P\d+)_", ["P1", "P1", "P2"]),
        (r"P\d+", ["P1", "P1", "P2"]),
        ({"P1_a": "x", "P1_b": "x", "P2_a": "y"}, ["x", "x", "y"]),
        (None, ["P1_a", "P1_b", "P2_a"]),
    ],
)
def test_a_rule_says_who_a_case_belongs_to(rule: Any, subjects: list[str]) -> None:
    found = number(cases("P1_a", "P1_b", "P2_a"), "Toy", subject=rule)
    assert [one.subject for one in found] == subjects


def test_the_converter_may_know_the_subject() -> None:
    (found,) = number(cases("scan1", subject="anon7"), "Toy")
    assert found.subject == "anon7"


@pytest.mark.parametrize("rule", [r"Q\d+", {"other": "x"}, r"(Q)?P1", r"Q*"])
def test_a_rule_that_leaves_a_case_without_subject_is_refused(rule: Any) -> None:
    with pytest.raises(ConfigError, match="'P1'") as caught:
        number(cases("P1"), "Toy", subject=rule)
    assert caught.value.where == "dataset.subject"


@pytest.mark.parametrize("fraction", [0.2, 0.35, 0.5, 0.8])
def test_a_fraction_of_subjects_is_held_out_whole(fraction: float) -> None:
    names = [f"P{subject}_{visit}" for subject in range(20) for visit in "ab"]
    found = number(cases(*names), "Toy", subject=r"P\d+", test_fraction=fraction)
    train = {one.subject for one in found if one.split == "train"}
    test = {one.subject for one in found if one.split == "test"}
    assert not train & test
    assert len(test) == round(20 * fraction)


def test_a_fraction_that_leaves_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(ConfigError, match="none is left to train on") as caught:
        number(cases("a", "b"), "Toy", test_fraction=0.9)
    assert caught.value.where == "dataset.test_fraction"


def test_a_listed_case_takes_its_subject_along() -> None:
    found = number(cases("P1_a", "P1_b", "P2_a"), "Toy", subject=r"P\d+", test=["P1_a"])
    assert held_out(found) == {"P1_a", "P1_b"}


def test_one_more_case_moves_at_most_one_other_across_the_border() -> None:
    names = [f"p{index}" for index in range(30)]
    before = held_out(number(cases(*names), "Toy", test_fraction=0.3))
    for added in ("a", "new", "zz", "q17"):
        after = held_out(number(cases(added, *names), "Toy", test_fraction=0.3)) - {added}
        assert len(before ^ after) <= 1


def test_the_order_of_the_source_does_not_decide_who_is_held_out() -> None:
    names = [f"p{index}" for index in range(12)]
    forwards = number(cases(*names), "Toy", test_fraction=0.25)
    backwards = number(cases(*reversed(names)), "Toy", test_fraction=0.25)
    assert held_out(forwards) == held_out(backwards)


def test_equal_names_are_refused() -> None:
    with pytest.raises(SourceError, match="more than one case is called a"):
        number(cases("a", "b", "a"), "Toy")


def test_a_key_makes_pseudonyms_that_stay_when_cases_are_added() -> None:
    few = number(cases("b", "c"), "Toy", key=b"0123456789abcdef")
    more = number(cases("a", "b", "c"), "Toy", key=b"0123456789abcdef")
    other = number(cases("b", "c"), "Toy", key=b"another key of 16")
    # openssl dgst -sha256 -hmac 0123456789abcdef, of "b" without a line end.
    assert few[0].identifier == "Toy_25ee70fc2e"
    assert [one.identifier for one in more[1:]] == [one.identifier for one in few]
    assert not {one.identifier for one in other} & {one.identifier for one in few}


def test_a_fraction_above_0_holds_out_at_least_one_subject() -> None:
    numbered = number(cases("a", "b", "c"), "Toy", test_fraction=0.01)
    assert [one.split for one in numbered].count("test") == 1
