"""The demo, as ``make demo`` runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from acceptance_tools import Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

LOBES = {f"{side}_lobe" for side in ("left_upper", "left_lower", "right_upper", "right_middle")}


def test_the_demo_segments_the_held_out_lungs(nnplug: Run, tmp_path: Path) -> None:
    done = nnplug(tmp_path, "demo", "output=out")
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["mean_foreground_dice"] >= 0.80
    assert set(scores["labels"]) == LOBES | {"right_lower_lobe"}
    assert len(scores["cases"]) == 4

    pictures = sorted((tmp_path / "out" / "pictures").glob("*.png"))
    assert len(pictures) == 3
    for picture in pictures:
        assert str(picture) in done.stderr
        with Image.open(picture) as opened:
            assert min(opened.size) > 200

    trained_on = {
        path.name.removesuffix("_0000.nii.gz")
        for path in (tmp_path / "out").glob("data/*/*/*/imagesTr/*.nii.gz")
    }
    assert trained_on
    assert not trained_on & set(scores["cases"])
