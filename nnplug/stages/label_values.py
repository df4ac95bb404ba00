"""Whose label values masks have: the source's or the dataset's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nnplug.config.settings import Predict
from nnplug.console import say
from nnplug.data.taskfolder import SOURCE_LABELS
from nnplug.errors import ConfigError, DataError
from nnplug.whole import storage_errors, write_text

if TYPE_CHECKING:
    from nnplug.engine.ensembling import Ensemble


def restoring(settings: Predict, ensemble: Ensemble) -> dict[int, int] | None:
    """The source's values for the dataset's, if they are wanted and known; says what is done.

    Raises:
        ConfigError: the folds know different ones.
    """
    from nnplug.engine.checkpoints import read_record

    record = ensemble.models[0].record.get("source_labels") or {}
    if settings.label_values == "dataset" or not record:
        return None
    folds = [fold for model in ensemble.models for fold in model.folds]
    for fold in folds[1:]:
        if read_record(fold / f"{settings.checkpoint}.model").get("source_labels") != record:
            raise ConfigError(
                f"{folds[0].name} and {fold.name} know different label values of the source",
                where=str(fold.parent),
                hint="use folds that were trained on one conversion, or label_values=dataset",
            )
    if record["values"] is None:
        say(f"masks have the dataset's label values; the source's are lost: {record['lost']}")
        return None
    values = {int(new): int(old) for new, old in record["values"].items()}
    if all(new == old for new, old in values.items()):
        return None
    listed = ", ".join(f"{new} -> {old}" for new, old in values.items())
    lost = f" ({record['lost']})" if record["lost"] else ""
    say(f"masks have the source's label values: {listed}{lost}; label_values=dataset leaves them")
    return values


def note(output: Path, restored: Mapping[int, int] | None, *, fresh: bool) -> None:
    """Say beside the masks that they have the source's values; never mix these with others."""
    path = output / SOURCE_LABELS
    text = json.dumps({"values": {str(new): old for new, old in (restored or {}).items()}})
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    now = text if restored else None
    if not fresh and before != now:
        raise ConfigError(
            "the masks that are there already have other label values than these would get",
            where=str(output),
            hint="choose another output, overwrite=true, or the label_values of before",
        )
    if restored:
        with storage_errors(path):
            write_text(path, text)
    else:
        path.unlink(missing_ok=True)


def compare_records(reference: Path, prediction: Path) -> None:
    """Refuse masks with the source's label values against a task folder's labels.

    Raises:
        DataError: records beside both say so.
    """
    task = reference.resolve().parent
    if (prediction / SOURCE_LABELS).is_file() and (task / SOURCE_LABELS).is_file():
        raise DataError(
            "the predictions have the source's label values, the references the dataset's",
            where=str(prediction),
            hint="predict with label_values=dataset, or compare with the source's labels",
        )


def compare(reference: set[int], prediction: set[int], declared: set[int], folder: Path) -> None:
    """Refuse predictions whose labels are numbered differently.

    Args:
        reference, prediction: foreground values that occur in any case.
        declared: values that the user named.
        folder: of the predictions.

    Raises:
        DataError: values of the predictions are unknown, and values of the references missing.
    """
    strange, missing = prediction - reference - declared, reference - prediction
    if strange and missing:
        raise DataError(
            f"the predictions have the values {_numbers(strange)}, which no reference has, and "
            f"nowhere {_numbers(missing)}, which references have: are they numbered differently?",
            where=str(folder),
            hint="if these are the source's label values, predict with label_values=dataset or "
            "compare with the source's labels; if not, name all labels with "
            "labels={NAME: VALUE}",
        )


def _numbers(values: set[int]) -> str:
    return ", ".join(map(str, sorted(values)))
