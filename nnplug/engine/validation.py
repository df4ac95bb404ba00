"""The validation of a trained fold, and its score."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any


def validate(trainer: Any) -> None:
    """Predict and score the validation cases as stock does, mirrored only if trained so."""
    trainer.network.eval()
    trainer.validate(
        do_mirroring=bool(trainer.data_aug_params.get("do_mirror")),
        save_softmax=False,
        validation_folder_name="validation_raw",
        run_postprocessing_on_folds=True,
        overwrite=True,
    )


def mean_dice(summary: Path) -> float | None:
    """Mean Dice over the foreground labels of a ``summary.json``; None if none occurs."""
    labels = json.loads(summary.read_text())["results"]["mean"]
    scores = [float(row["Dice"]) for label, row in labels.items() if label != "0"]
    scores = [score for score in scores if not math.isnan(score)]
    return sum(scores) / len(scores) if scores else None
