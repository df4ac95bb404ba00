"""The validation that ends a training, and its score."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from nnplug.engine import groups


def validate(trainer: Any, network: str) -> None:
    """Predict and score the validation cases as stock does, mirrored only if trained so.

    For ``3d_lowres`` the predictions for the cascade's next stage follow, as in stock.
    """
    trainer.network.eval()
    trainer.validate(
        do_mirroring=bool(trainer.data_aug_params.get("do_mirror")),
        save_softmax=False,
        validation_folder_name="validation_raw",
        run_postprocessing_on_folds=True,
        overwrite=True,
    )
    if network == "3d_lowres" and groups.current.first:
        from nnunet.training.cascade_stuff.predict_next_stage import predict_next_stage

        stage = f"{trainer.plans['data_identifier']}_stage1"
        predict_next_stage(trainer, str(Path(trainer.dataset_directory, stage)))


def mean_dice(summary: Path) -> float | None:
    """Mean Dice over the foreground labels of a ``summary.json``; None if none occurs."""
    labels = json.loads(summary.read_text())["results"]["mean"]
    scores = [float(row["Dice"]) for label, row in labels.items() if label != "0"]
    scores = [score for score in scores if not math.isnan(score)]
    return sum(scores) / len(scores) if scores else None
