"""evaluate: figures per case and label, and the cases it refuses."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnplug.config.settings import Evaluate
from nnplug.errors import ConfigError, DataError
from nnplug.stages import evaluate

SHAPE = (4, 5, 6)
Evaluation = Callable[..., evaluate.Scores]


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    for folder in ("reference", "prediction"):
        (tmp_path / folder).mkdir()

    def run(**labels: int) -> evaluate.Scores:
        folders = tmp_path / "reference", tmp_path / "prediction"
        return evaluate.run(Evaluate(*folders, tmp_path / "out" / "scores.json", labels))

    return run


def label(*boxes: tuple[int, slice]) -> Any:
    values = np.zeros(SHAPE, np.uint8)
    for value, rows in boxes:
        values[:, rows] = value
    return values


def test_figures_are_written_per_case_and_label(
    tmp_path: Path, save: Any, evaluation: Evaluation
) -> None:
    save(tmp_path / "reference" / "a.nii.gz", label((1, slice(0, 2)), (2, slice(2, 4))))
    save(tmp_path / "prediction" / "a.nii.gz", label((1, slice(0, 1)), (2, slice(2, 4))))
    scores = evaluation(background=0, liver=1, spleen=2)
    assert set(scores.cases["a"]) == {"liver", "spleen"}
    liver = scores.cases["a"]["liver"]
    assert liver.dice == pytest.approx(2 / 3)
    assert liver.volume_difference_ml == pytest.approx(-4 * 6 * 3.0 / 1000)
    assert liver.hd95_mm == pytest.approx(1.5)
    assert scores.dice == pytest.approx((2 / 3 + 1) / 2)
    written = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert written["mean"]["liver"]["dice"] == pytest.approx(2 / 3)
    assert written["cases"]["a"]["spleen"]["dice"] == 1
    assert written["labels"] == {"liver": 1, "spleen": 2}
    assert written["notes"] == []


def test_without_labels_every_value_that_occurs_is_scored(
    tmp_path: Path, save: Any, evaluation: Evaluation
) -> None:
    save(tmp_path / "reference" / "a.nii.gz", label((1, slice(0, 2))))
    save(tmp_path / "prediction" / "a.nii.gz", label((1, slice(0, 2)), (7, slice(3, 4))))
    scores = evaluation()
    assert {name: one.dice for name, one in scores.cases["a"].items()} == {"1": 1, "7": 0}


def test_a_label_that_is_absent_is_nan_and_said_so(
    tmp_path: Path, save: Any, evaluation: Evaluation, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, rows in (("a", slice(0, 2)), ("b", slice(0, 0))):
        save(tmp_path / "reference" / f"{name}.nii.gz", label((1, rows)))
        save(tmp_path / "prediction" / f"{name}.nii.gz", label((1, rows)))
    save(tmp_path / "reference" / "c.nii.gz", label((1, slice(0, 1))))
    save(tmp_path / "prediction" / "c.nii.gz", label())
    scores = evaluation(liver=1)
    assert math.isnan(scores.cases["b"]["liver"].dice)
    assert scores.cases["c"]["liver"].dice == 0
    assert math.isnan(scores.cases["c"]["liver"].hd95_mm)
    assert scores.means["liver"]["dice"] == pytest.approx(0.5)
    neither, one_sided = scores.notes
    assert neither.endswith("b/liver")
    assert one_sided.endswith("c/liver")
    assert "b/liver" in capfd.readouterr().err


def test_other_formats_and_spare_predictions_are_taken_as_they_come(
    tmp_path: Path, save: Any, evaluation: Evaluation
) -> None:
    save(tmp_path / "reference" / "a.mha", label((1, slice(0, 2))))
    save(tmp_path / "prediction" / "a.nii.gz", label((1, slice(0, 2))))
    save(tmp_path / "prediction" / "b.nii.gz", label())
    (tmp_path / "prediction" / "plans.pkl").write_bytes(b"x")
    scores = evaluation()
    assert scores.dice == 1
    assert scores.notes == ["1 predictions without a reference were left out: b"]


def test_a_missing_prediction_is_named(tmp_path: Path, save: Any, evaluation: Evaluation) -> None:
    for name in "ab":
        save(tmp_path / "reference" / f"{name}.nii.gz", label((1, slice(0, 2))))
    save(tmp_path / "prediction" / "a.nii.gz", label((1, slice(0, 2))))
    with pytest.raises(DataError, match="1 of 2 cases have no prediction: b"):
        evaluation()
    assert not (tmp_path / "out").exists()


def test_another_grid_is_refused(tmp_path: Path, save: Any, evaluation: Evaluation) -> None:
    save(tmp_path / "reference" / "a.nii.gz", label((1, slice(0, 2))))
    save(tmp_path / "prediction" / "a.nii.gz", label((1, slice(0, 2))), spacing=(1, 1, 1))
    with pytest.raises(DataError, match="case a: reference and prediction are not on one grid"):
        evaluation()


def test_a_damaged_prediction_is_named(tmp_path: Path, save: Any, evaluation: Evaluation) -> None:
    save(tmp_path / "reference" / "a.nii.gz", label((1, slice(0, 2))))
    (tmp_path / "prediction" / "a.nii.gz").write_bytes(b"")
    with pytest.raises(DataError, match="the file is empty") as caught:
        evaluation()
    assert str(caught.value.where).startswith("case a")


def test_empty_and_absent_folders_are_refused(
    tmp_path: Path, save: Any, evaluation: Evaluation
) -> None:
    with pytest.raises(DataError, match="there is no label image"):
        evaluation()
    save(tmp_path / "reference" / "a.nii.gz", label())
    save(tmp_path / "reference" / "a.mha", label())
    with pytest.raises(DataError, match="case a is there twice"):
        evaluation()
    absent = Evaluate(tmp_path / "absent", tmp_path, tmp_path / "out.json")
    with pytest.raises(ConfigError, match=r"reference=.*no such folder"):
        evaluate.run(absent)
