"""Errors say what, where and what to do, also after a journey between processes."""

from __future__ import annotations

import pickle

import pytest

from nnplug import errors


def subclasses() -> list[type[errors.NnplugError]]:
    return [errors.NnplugError, *errors.NnplugError.__subclasses__()]


def test_text_has_place_problem_and_remedy() -> None:
    error = errors.SourceError("the file is empty", where="case p1", hint="copy it again")
    assert str(error) == "case p1: the file is empty\n  -> copy it again"
    assert str(errors.SourceError("no case")) == "no case"


@pytest.mark.parametrize("kind", subclasses(), ids=lambda kind: kind.__name__)
def test_error_survives_pickling(kind: type[errors.NnplugError]) -> None:
    error = pickle.loads(pickle.dumps(kind("problem", where="here", hint="do this")))
    assert type(error) is kind
    assert (error.problem, error.where, error.hint) == ("problem", "here", "do this")


def test_exit_codes_tell_kinds_of_errors_apart() -> None:
    codes = [kind.exit_code for kind in subclasses()]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes
