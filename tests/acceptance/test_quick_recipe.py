"""The quick recipe on real brain MR, cut short, against what full-size nnU-Net needs hours for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acceptance_tools import Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


def test_a_few_minutes_give_a_useful_model(nnplug: Run, shared_data: Path, tmp_path: Path) -> None:
    nnplug(
        *(tmp_path, "train", "dataset=hippocampus", "trainer=quick", "device=cpu", "fold=0"),
        *(f"dataset.source={shared_data / 'hippocampus'}", "trainer.epochs=3"),
    )
    (summary,) = tmp_path.glob("nnplug_data/nnUNet_trained_models/**/validation_raw/summary.json")
    mean = json.loads(summary.read_text())["results"]["mean"]
    # 300 of the recipe's steps; the documented figures are in docs/quick.md.
    assert mean["1"]["Dice"] > 0.80
    assert mean["2"]["Dice"] > 0.80
