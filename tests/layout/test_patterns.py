"""Layouts that the user describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nnplug.errors import SourceError
from nnplug.types import Layout


def test_patterns_with_stars(tmp_path: Path, make: Any, find: Any, short: Any) -> None:
    make(tmp_path, "a/x/2020/t1.nii", "a/x/2020/t2.nii", "truth/x.nii", "b/y/1/2/t1.nii")
    make(tmp_path, "b/y/1/2/t2.nii", "truth/y.nii")
    layout = Layout(("*/{case}/**/t1.nii", "*/{case}/**/t2.nii"), "truth/{case}.nii")
    cases = find(tmp_path, {0: "T1", 1: "T2"}, layout=layout)
    assert short(tmp_path, cases) == [
        ("x", "a/x/2020/t1.nii", "a/x/2020/t2.nii", "truth/x.nii", None),
        ("y", "b/y/1/2/t1.nii", "b/y/1/2/t2.nii", "truth/y.nii", None),
    ]


def test_patterns_take_other_characters_literally(
    tmp_path: Path, make: Any, find: Any, problems: Any
) -> None:
    make(tmp_path, "s(1)+/a.nii", "s(1)+/a[x].nii", "s(1)+/b.nii")
    layout = Layout(("s(1)+/{case}.nii",), "s(1)+/{case}[x].nii")
    assert set(problems(find(tmp_path, layout=layout))) == {"b", "a[x]"}


def test_patterns_list_several_matches_and_missing_parts(
    tmp_path: Path, make: Any, find: Any, problems: Any
) -> None:
    make(tmp_path, "a/1/ct.nii", "a/2/ct.nii", "a/seg.nii", "b/1/ct.nii", "c/1/ct.nii", "c/seg.nii")
    layout = Layout(("{case}/*/ct.nii",), "{case}/seg.nii")
    assert problems(find(tmp_path, layout=layout)) == {
        "a": "2 paths match '{case}/*/ct.nii': a/1/ct.nii, a/2/ct.nii",
        "b": "nothing matches '{case}/seg.nii'",
    }


def test_a_case_named_twice_in_a_pattern_is_one_name(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "a/a.nii", "a/b.nii")
    layout = Layout(("{case}/{case}.nii",))
    assert [c.name for c in find(tmp_path, layout=layout, unlabelled=True)] == ["a"]


@pytest.mark.parametrize("pattern", ["../{case}.nii", "/data/{case}.nii", "images/*.nii"])
def test_patterns_that_leave_the_source_or_name_no_case(
    tmp_path: Path, pattern: str, make: Any, find: Any
) -> None:
    make(tmp_path, "images/a.nii")
    with pytest.raises(SourceError, match="can't be used"):
        find(tmp_path, layout=Layout((pattern,)), unlabelled=True)


def test_patterns_have_to_fit_the_dataset(tmp_path: Path, make: Any, find: Any) -> None:
    make(tmp_path, "a.nii")
    with pytest.raises(SourceError, match="2 image patterns for 1 channels"):
        find(tmp_path, layout=Layout(("{case}.nii", "{case}.nii"), "{case}.nii"))
    with pytest.raises(SourceError, match="none for the label"):
        find(tmp_path, layout=Layout(("{case}.nii",)))
    with pytest.raises(SourceError, match="that the patterns match"):
        find(tmp_path, layout=Layout(("x/{case}.nii",)), unlabelled=True)
