"""What the cascade's first stage predicts for its second: whose it is, and what is missing.

nnU-Net keeps one prediction a case in ``pred_next_stage`` of the model, whichever fold made it.
Each should be made by a fold that was not trained with the case, so nnplug notes beside a
fold's weights which it made, and from which weights.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from nnplug.engine.checkpoints import FINAL
from nnplug.engine.safe import read_pickle
from nnplug.whole import write_json

FOLDER = "pred_next_stage"

_SUFFIX = "_segFromPrevStage.npz"
_RECORD = "next_stage.json"


def cases_of(split: Sequence[Mapping[str, Collection[str]]], fold: int) -> list[str]:
    """The cases that a fold predicts: those that it validates, and no fold before it does."""
    earlier = {str(case) for other in split[:fold] for case in other["val"]}
    mine = {str(case) for other in split[fold : fold + 1] for case in other["val"]}
    return sorted(mine - earlier)


def own_cases(splits_file: Path, every: Collection[str], fold: int | str) -> list[str]:
    """The same by the task's split file; ``fold="all"`` predicts every case, as in stock."""
    if not isinstance(fold, int):
        return sorted(every)
    return cases_of(read_pickle(splits_file), fold) if splits_file.is_file() else []


def missing(fold_folder: Path, cases: Collection[str]) -> list[str]:
    """The cases of which the prediction isn't there, or isn't of this fold's final weights.

    Predictions of stock nnU-Net say not who made them; they count if they are newer than the
    weights. Without weights there is nothing to compare with.
    """
    weights = fold_folder / f"{FINAL}.model"
    noted = _read(fold_folder)
    return [case for case in sorted(cases) if not _stands(fold_folder, case, weights, noted)]


def predict(trainer: Any, cases: Collection[str]) -> None:
    """Predict what is missing of a fold's cases with nnU-Net's own function."""
    from nnunet.training.cascade_stuff.predict_next_stage import predict_next_stage

    folder = Path(trainer.output_folder)
    owed = missing(folder, cases)
    _write(folder, set(cases) - set(owed))
    if trainer.dataset is None:
        trainer.load_dataset()
    validated = trainer.dataset_val
    trainer.dataset_val = OrderedDict((case, trainer.dataset[case]) for case in owed)
    try:
        stage = f"{trainer.plans['data_identifier']}_stage1"
        predict_next_stage(trainer, str(Path(trainer.dataset_directory, stage)))
    finally:
        trainer.dataset_val = validated
    _write(folder, cases)


def _stands(folder: Path, case: str, weights: Path, noted: Mapping[str, Any] | None) -> bool:
    path = prediction_file(folder, case)
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    if not weights.is_file():
        return True
    if noted is None:
        return path.stat().st_mtime_ns >= weights.stat().st_mtime_ns
    return bool(noted["weights"] == _stamp(weights) and noted["cases"].get(case) == _stamp(path))


def fingerprint(model: Path) -> dict[str, list[list[Any]]]:
    """Each case's prediction by content: name, size and checksum of its arrays as zip has them."""
    found = {}
    for path in sorted((model / FOLDER).glob(f"*{_SUFFIX}")):
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            arrays = [[entry.filename, entry.file_size, entry.CRC] for entry in archive.infolist()]
            found[path.name.removesuffix(_SUFFIX)] = arrays
    return found


def prediction_file(fold_folder: Path, case: str) -> Path:
    """Where nnU-Net keeps a case's prediction."""
    return fold_folder.parent / FOLDER / f"{case}{_SUFFIX}"


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        content = json.loads((folder / _RECORD).read_text())
        return {"weights": content["weights"], "cases": dict(content["cases"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(folder: Path, cases: Collection[str]) -> None:
    stamps = {case: _stamp(prediction_file(folder, case)) for case in sorted(cases)}
    write_json(folder / _RECORD, {"weights": _stamp(folder / f"{FINAL}.model"), "cases": stamps})
