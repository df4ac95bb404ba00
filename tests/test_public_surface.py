"""A change of what plugins rely on is a decision, not an accident."""

from __future__ import annotations

import difflib

import public_surface


def test_the_public_surface_is_the_recorded_one() -> None:
    recorded = public_surface.RECORD.read_text(encoding="utf-8").splitlines()
    found = public_surface.surface().splitlines()
    changes = "\n".join(difflib.unified_diff(recorded, found, "recorded", "now", lineterm="", n=0))
    assert not changes, (
        f"{changes}\nIs it meant? Then `python tests/public_surface.py` records it, and a change "
        "that plugins can see needs another nnplug.hookspecs.API and a line in the changelog."
    )


def test_what_a_plugin_calls_is_in_it() -> None:
    lines = public_surface.surface().splitlines()
    assert "[nnplug.types]" in lines
    assert any(line.startswith("class ConverterSpec: (name: ") for line in lines)
    assert any(line.startswith("nnplug_detect(source: ") for line in lines)
