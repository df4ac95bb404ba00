"""evaluate: subjects, intervals, tolerances, and two models on the same cases."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnplug.config.build import build
from nnplug.config.settings import Evaluate
from nnplug.errors import ConfigError
from nnplug.stages import evaluate

Save = Callable[..., Path]
Command = Callable[..., tuple[int, str, str]]
CASES = ("a", "b", "c", "d")


def slab(rows: int) -> Any:
    values = np.zeros((4, 12, 6), np.uint8)
    values[:, :rows] = 1
    return values


@pytest.fixture
def cohort(tmp_path: Path, save: Save) -> Path:
    """Four cases of eight rows (1.5 mm each); ``good`` misses 0 or 1 of them, ``bad`` 1 to 3."""
    task = tmp_path / "Task300_Slab"
    for index, case in enumerate(CASES):
        save(task / "labelsTs" / f"{case}.nii.gz", slab(8))
        save(tmp_path / "good" / f"{case}.nii.gz", slab(8 - index % 2))
        save(tmp_path / "bad" / f"{case}.nii.gz", slab(7 - index // 2 - index % 2))
    return tmp_path


def settings(cohort: Path, **changes: Any) -> Evaluate:
    values = {
        "reference": cohort / "Task300_Slab" / "labelsTs",
        "prediction": cohort / "good",
        "output": cohort / "out" / "scores.json",
        "labels": {"background": 0, "slab": 1},
        **changes,
    }
    return build(Evaluate, values)


def dice(missed: int) -> float:
    return 2 * (8 - missed) / (16 - missed)


def test_two_models_are_compared_on_the_same_cases(cohort: Path) -> None:
    scores = evaluate.run(settings(cohort, compare=cohort / "bad"))
    assert scores.comparison is not None
    apart = [dice(i % 2) - dice(1 + i // 2 + i % 2) for i in range(4)]
    found = scores.comparison.differences["slab"]["dice"]
    assert found.mean == pytest.approx(np.mean(apart))
    assert found.interval[0] <= found.mean <= found.interval[1]
    assert min(apart) <= found.interval[0]
    assert (found.cases, found.subjects) == (4, 4)
    assert found.p == found.p_holm == pytest.approx(2 / 16)  # all four of one sign
    assert scores.comparison.means["slab"]["dice"] == pytest.approx(
        np.mean([dice(1 + i // 2 + i % 2) for i in range(4)])
    )
    written = json.loads((cohort / "out" / "scores.json").read_text())
    assert written["compare"]["differences"]["slab"]["dice"]["p"] == pytest.approx(0.125)
    with (cohort / "out" / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["model"], row["case"]) for row in rows] == [
        (model, case) for model in ("prediction", "compare") for case in CASES
    ]
    assert float(rows[5]["dice"]) == pytest.approx(dice(2))


def test_subjects_come_from_the_task_folder_and_keep_their_names_to_it(cohort: Path) -> None:
    (cohort / "Task300_Slab" / "case_map.csv").write_text(
        "case,original,subject,split\n"
        "a,x,Miller,test\nb,x,Miller,test\nc,x,Smith,test\nd,x,Smith,test\n"
    )
    scores = evaluate.run(settings(cohort))
    assert set(scores.subjects) == {"a", "c"}
    assert scores.subjects["a"]["slab"]["dice"] == pytest.approx((1 + dice(1)) / 2)
    # Both subjects have the same mean, so no draw of subjects changes the cohort's.
    assert scores.intervals["slab"]["dice"] == pytest.approx([(1 + dice(1)) / 2] * 2)
    written = [path.read_text() for path in (cohort / "out").iterdir()]
    assert len(written) == 3
    assert not any("Miller" in text for text in written)


def test_subjects_can_be_listed(cohort: Path) -> None:
    table = cohort / "who.csv"
    table.write_text("case,subject\na,p1\nb,p1\nc,p1\nd,p2\n")
    scores = evaluate.run(settings(cohort, subjects=table))
    assert list(scores.subjects) == ["p1", "p2"]
    with (cohort / "out" / "scores_subjects.csv").open(newline="") as stream:
        rows = {row["subject"]: row for row in csv.DictReader(stream)}
    assert float(rows["p1"]["dice"]) == pytest.approx((2 + dice(1)) / 3)
    table.write_text("case,subject\na,p1\n")
    with pytest.raises(ConfigError, match="no subject for 3 cases: b, c, d"):
        evaluate.run(settings(cohort, subjects=table))
    with pytest.raises(ConfigError, match="can't be read"):
        evaluate.run(settings(cohort, subjects=cohort / "absent.csv"))


def test_the_tolerance_is_that_of_the_label(cohort: Path) -> None:
    for tolerance, perfect in ((1.5, True), ({"slab": 1.5}, True), ({"slab": 1.4}, False)):
        scores = evaluate.run(settings(cohort, tolerance_mm=tolerance))
        assert (scores.means["slab"]["surface_dice"] == 1) == perfect


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"tolerance_mm": {"liver": 1}}, "tolerance_mm is for liver, labels are slab"),
        ({"tolerance_mm": -1}, "tolerance_mm must be at least 0"),
        ({"resamples": 0}, "resamples must be at least 1"),
        ({"output": "scores.csv"}, "output is a JSON file"),
        ({"compare": "absent"}, "there is no such folder"),
    ],
)
def test_what_can_not_be_is_refused(cohort: Path, changes: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        evaluate.run(settings(cohort, **changes))


def test_the_command_line_takes_a_tolerance_a_label_and_writes_valid_json(
    cohort: Path, save: Save, command: Command
) -> None:
    save(cohort / "good" / "a.nii.gz", slab(0))
    code, _, err = command(
        "evaluate",
        *(f"reference={cohort / 'Task300_Slab' / 'labelsTs'}", f"prediction={cohort / 'good'}"),
        *(f"compare={cohort / 'bad'}", f"output={cohort / 'scores.json'}"),
        *("labels={slab: 1}", "tolerance_mm={slab: 3}", "workers=1"),
    )
    assert code == 0, err
    assert "[" in err
    assert "p (Holm)" in err

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    written = json.loads((cohort / "scores.json").read_text(), parse_constant=refuse)
    assert written["cases"]["a"]["slab"]["hd95_mm"] is None
    assert written["compare"]["differences"]["slab"]["hd95_mm"]["cases"] == 3
    assert not math.isnan(written["mean"]["slab"]["surface_dice"])
