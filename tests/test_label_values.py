"""Masks in the source's label values: written, said, never mixed, never scored as others."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.config.settings import Evaluate, Predict
from nnplug.errors import ConfigError, DataError
from nnplug.stages import evaluate, label_values, masks

Save = Callable[..., Path]


@pytest.mark.parametrize(
    ("values", "pixel"),
    [
        ({0: 0, 1: 127, 2: 255}, sitk.sitkUInt8),
        ({0: 0, 1: 2, 2: 4000}, sitk.sitkUInt16),
        ({0: 0, 1: 9, 2: 70000}, sitk.sitkUInt32),
    ],
)
def test_a_mask_gets_the_values_in_the_smallest_type(values: dict[int, int], pixel: int) -> None:
    before = np.random.default_rng(0).integers(0, 3, (4, 5, 6)).astype(np.uint8)
    after = masks.revalued(before, values)
    np.testing.assert_array_equal(after, np.vectorize(values.get)(before))
    assert sitk.GetImageFromArray(after).GetPixelID() == pixel


def restoring(
    record: Any, wanted: Any = "source", folds: tuple[Path, ...] = ()
) -> dict[int, int] | None:
    known = {"source_labels": record} if record is not None else {}
    ensemble: Any = SimpleNamespace(models=[SimpleNamespace(record=known, folds=folds)])
    settings = Predict(Path("in"), Path("out"), label_values=wanted)
    return label_values.restoring(settings, ensemble)


def test_what_is_restored_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    record = {"values": {"0": 0, "1": 7, "2": 9}, "lost": "3 became background"}
    assert restoring(record) == {0: 0, 1: 7, 2: 9}
    said = capfd.readouterr().err
    assert "0 -> 0, 1 -> 7, 2 -> 9 (3 became background)" in said
    assert "label_values=dataset" in said
    assert restoring(record, "dataset") is None
    assert capfd.readouterr().err == ""


def test_folds_of_different_conversions_are_told(tmp_path: Path) -> None:
    record = {"values": {"0": 0, "1": 7}, "lost": ""}
    folds = tmp_path / "fold_0", tmp_path / "fold_1"
    name = "model_final_checkpoint.model.pkl"
    for fold in folds:
        fold.mkdir()
        (fold / name).write_bytes(pickle.dumps({"nnplug": {"source_labels": record}}))
    assert restoring(record, folds=folds) == {0: 0, 1: 7}
    (folds[1] / name).write_bytes(pickle.dumps({"nnplug": {}}))
    with pytest.raises(ConfigError, match="fold_0 and fold_1 know different label values"):
        restoring(record, folds=folds)


def test_a_way_back_that_is_not_there_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    assert restoring({"values": None, "lost": "1 and 2 were merged into 1"}) is None
    assert "lost: 1 and 2 were merged into 1" in capfd.readouterr().err
    for silent in (None, {}, {"values": {"0": 0, "1": 1}, "lost": ""}):
        assert restoring(silent) is None
        assert capfd.readouterr().err == ""


def test_masks_of_both_kinds_are_never_mixed(tmp_path: Path) -> None:
    label_values.note(tmp_path, {0: 0, 1: 7}, fresh=True)
    label_values.note(tmp_path, {0: 0, 1: 7}, fresh=False)
    assert json.loads((tmp_path / "nnplug_labels.json").read_text())["values"]["1"] == 7
    for other in (None, {0: 0, 1: 8}):
        with pytest.raises(ConfigError, match="other label values") as caught:
            label_values.note(tmp_path, other, fresh=False)
        assert "overwrite=true" in str(caught.value.hint)
    label_values.note(tmp_path, None, fresh=True)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError):
        label_values.note(tmp_path, {0: 0, 1: 7}, fresh=False)


def boxes(*values: int) -> Any:
    label = np.zeros((4, 5, 6), np.uint16)
    for row, value in enumerate(values):
        label[:, row] = value
    return label


def evaluation(folder: Path, **labels: int) -> evaluate.Scores:
    paths = folder / "labelsTs", folder / "masks"
    return evaluate.run(Evaluate(*paths, folder / "scores.json", labels))


@pytest.mark.parametrize("labels", [{}, {"a": 1, "b": 2, "c": 3}])
def test_differently_numbered_masks_are_not_scored(
    tmp_path: Path, save: Save, labels: dict[str, int]
) -> None:
    save(tmp_path / "labelsTs" / "x.nii.gz", boxes(1, 2, 3))
    save(tmp_path / "masks" / "x.nii.gz", boxes(1, 700, 9))
    with pytest.raises(DataError, match="have the values 9, 700, which no reference") as caught:
        evaluation(tmp_path, **labels)
    assert "label_values=dataset" in str(caught.value.hint)
    assert not (tmp_path / "scores.json").exists()


def test_a_false_positive_is_scored_when_its_label_is_named(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "labelsTs" / "x.nii.gz", boxes(1, 2))
    save(tmp_path / "masks" / "x.nii.gz", boxes(1, 3))
    assert evaluation(tmp_path, a=1, b=2, c=3).means["c"]["dice"] == 0
    with pytest.raises(DataError, match="numbered differently"):
        evaluation(tmp_path)


def test_swapped_values_are_told_by_the_records(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "labelsTs" / "x.nii.gz", boxes(1, 2))
    save(tmp_path / "masks" / "x.nii.gz", boxes(2, 1))
    label_values.note(tmp_path / "masks", {0: 0, 1: 2, 2: 1}, fresh=True)
    assert evaluation(tmp_path).dice == 0
    (tmp_path / "nnplug_labels.json").write_text("{}")
    with pytest.raises(DataError, match="source's label values, the references the dataset's"):
        evaluation(tmp_path)
