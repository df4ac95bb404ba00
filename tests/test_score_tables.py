"""The scores on a terminal of 80 columns: nothing is cut off."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from nnplug.data.metrics import FIGURES
from nnplug.data.summary import Comparison, Difference, Scores
from nnplug.stages import score_tables

VALUES = dict(zip(FIGURES, (0.94812, 0.93123, 123.456, 1.2345, -1234.567), strict=True))
NAMES = ("left_upper_lobe_without_airways", "[bold] lobe", "kidney")


def shown(scores: Scores, monkeypatch: pytest.MonkeyPatch) -> str:
    text = io.StringIO()
    console = Console(file=text, width=80, highlight=False)
    monkeypatch.setattr(score_tables, "console", lambda: console)
    monkeypatch.setattr(score_tables, "say", lambda _: None)
    score_tables.show(scores)
    return text.getvalue()


def test_names_and_figures_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    difference = Difference(0.0123, (-0.0011, 0.0345), 0.034, 0.12, 195, 195)
    scores = Scores(
        labels={},
        cases={},
        means=dict.fromkeys(NAMES, VALUES),
        intervals={name: {f: (v - 0.1, v + 0.01) for f, v in VALUES.items()} for name in NAMES},
        subjects={},
        dice=0.94812,
        notes=[],
        comparison=Comparison({}, {}, {n: dict.fromkeys(FIGURES, difference) for n in NAMES}),
    )
    lines = shown(scores, monkeypatch).splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    assert sum("0.948 [0.848, 0.958]" in line for line in lines) == len(NAMES)
    assert sum("123.46" in line and "-1234.57" in line for line in lines) == len(NAMES)
    assert sum("+0.012 [-0.001, +0.035]" in line for line in lines) == 2 * len(NAMES)
    columns = "".join(line.split("  ")[0].strip() for line in lines if line.strip())
    for name in NAMES:
        assert columns.replace(" ", "").count(name.replace(" ", "")) == 2


def test_without_an_interval_the_mean_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    none = dict.fromkeys(FIGURES, (math.nan, math.nan))
    scores = Scores(
        labels={},
        cases={},
        means={"a": VALUES},
        intervals={"a": none},
        subjects={},
        dice=0.94812,
        notes=[],
        comparison=None,
    )
    (row,) = (line for line in shown(scores, monkeypatch).splitlines() if " -1234.57" in line)
    assert row.split() == ["a", "0.948", "0.931", "123.46", "1.23", "-1234.57"]
