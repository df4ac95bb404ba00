"""evaluate: predictions against reference labels, case by case and label by label."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from nnplug.catalog import Catalog
from nnplug.config.load import evaluate_settings, existing_folder
from nnplug.config.settings import Evaluate
from nnplug.console import console, progress, say, warn
from nnplug.data import geometry, labels
from nnplug.data.files import write_text
from nnplug.data.metrics import Score, score
from nnplug.errors import DataError, SourceError
from nnplug.formats.itk import read_image
from nnplug.stages import label_values
from nnplug.stages.workers import each

SUFFIXES = (".nii.gz", ".nii", ".mha", ".nrrd")
FIGURES = ("dice", "hd95_mm", "volume_difference_ml")


@dataclass(frozen=True)
class Scores:
    """Scores of a folder of predictions.

    Attributes:
        labels: label name to value.
        cases: case to label name to score.
        means: label name to the mean of each figure over the cases where it is a number.
        dice: mean Dice over all foreground labels and cases where it is a number.
        notes: what a reader of the figures has to know.
    """

    labels: Mapping[str, int]
    cases: Mapping[str, Mapping[str, Score]]
    means: Mapping[str, Mapping[str, float]]
    dice: float
    notes: list[str]


def main(config: Mapping[str, Any], catalog: Catalog) -> float:
    """The verb; returns the mean foreground Dice."""
    return run(evaluate_settings(config)).dice


def run(settings: Evaluate) -> Scores:
    """Score every reference case, write the JSON file and print a table.

    Raises:
        ConfigError: a folder is missing.
        DataError: a prediction is missing, or not on its reference's grid.
    """
    reference = _files(existing_folder(settings.reference, "reference"))
    prediction = _files(existing_folder(settings.prediction, "prediction"))
    label_values.compare_records(settings.reference, settings.prediction)
    notes = _compare_names(reference, prediction, settings)
    pairs = [(name, path, prediction[name]) for name, path in reference.items()]
    named = {name: value for name, value in settings.labels.items() if value != 0}
    score_one = partial(_score_case, values=set(named.values()))
    with (
        progress("scoring", len(pairs)) as advance,
        closing(each(score_one, pairs, min(settings.workers, len(pairs)))) as outcomes,
    ):
        found: dict[str, dict[int, Score]] = {}
        wanted: set[int] = set()
        got: set[int] = set()
        for _, outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
            found[outcome.name] = outcome.scores
            wanted |= outcome.reference
            got |= outcome.prediction
            advance()
    found = {name: found[name] for name in reference}
    label_values.compare(wanted, got, set(named.values()), settings.prediction)
    if not named:
        every = sorted({value for values in found.values() for value in values})
        named = {str(value): value for value in every}
    scores = _summarise(named, found, notes)
    write_text(settings.output, _json(scores, settings))
    _print(scores)
    say(f"written: {settings.output}")
    return scores


def _files(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        suffix = next((end for end in SUFFIXES if path.name.lower().endswith(end)), None)
        if suffix is None or path.name.startswith(".") or not path.is_file():
            continue
        name = path.name[: -len(suffix)]
        if name in files:
            raise DataError(f"case {name} is there twice", where=str(folder))
        files[name] = path
    if not files:
        raise DataError(f"there is no label image ({', '.join(SUFFIXES)})", where=str(folder))
    return files


def _compare_names(
    reference: Mapping[str, Path], prediction: Mapping[str, Path], settings: Evaluate
) -> list[str]:
    missing = sorted(reference.keys() - prediction.keys())
    if missing:
        raise DataError(
            f"{len(missing)} of {len(reference)} cases have no prediction: "
            f"{', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}",
            where=str(settings.prediction),
            hint="predict them, or leave their references out",
        )
    extra = sorted(prediction.keys() - reference.keys())
    if not extra:
        return []
    note = f"{len(extra)} predictions without a reference were left out: {', '.join(extra[:5])}"
    warn(note)
    return [note]


@dataclass(frozen=True)
class _CaseScores:
    """The scores of a case by label value, and the foreground values of both images."""

    name: str
    scores: dict[int, Score]
    reference: set[int]
    prediction: set[int]


def _score_case(pair: tuple[str, Path, Path], values: set[int]) -> _CaseScores:
    name, wanted_path, got_path = pair
    try:
        wanted_image, got_image = read_image(wanted_path), read_image(got_path)
        wanted, got = labels.integers(wanted_image), labels.integers(got_image)
    except SourceError as error:
        where = f"case {name}" + (f", {error.where}" if error.where else "")
        raise DataError(error.problem, where=where, hint=error.hint) from error
    apart = geometry.differences(wanted_image, got_image)
    if apart:
        raise DataError(
            f"reference and prediction are not on one grid: {'; '.join(apart)}",
            where=f"case {name}",
            hint="resample the prediction onto the reference's grid",
        )
    before, after = ({int(v) for v in np.unique(each) if v} for each in (wanted, got))
    x, y, z = wanted_image.GetSpacing()
    scores = {
        value: score(wanted == value, got == value, (z, y, x))
        for value in sorted(values or before | after)
    }
    return _CaseScores(name, scores, before, after)


def _summarise(
    named: Mapping[str, int], found: Mapping[str, Mapping[int, Score]], notes: list[str]
) -> Scores:
    neither = Score(math.nan, math.nan, math.nan, 0, 0)
    cases = {
        case: {name: scores.get(value, neither) for name, value in named.items()}
        for case, scores in found.items()
    }
    means = {
        name: {
            figure: _mean([getattr(scores[name], figure) for scores in cases.values()])
            for figure in FIGURES
        }
        for name in named
    }
    absent = [
        f"{case}/{name}"
        for case, scores in cases.items()
        for name, one in scores.items()
        if math.isnan(one.dice)
    ]
    one_sided = [
        f"{case}/{name}"
        for case, scores in cases.items()
        for name, one in scores.items()
        if math.isnan(one.hd95_mm) and not math.isnan(one.dice)
    ]
    if absent:
        notes = [
            *notes,
            "in neither reference nor prediction, so NaN and left out of the means: "
            + ", ".join(absent),
        ]
    if one_sided:
        notes = [
            *notes,
            "in only one of reference and prediction, so Dice 0 and no Hausdorff "
            "distance: " + ", ".join(one_sided),
        ]
    dice = _mean([one.dice for scores in cases.values() for one in scores.values()])
    return Scores(named, cases, means, dice, notes)


def _mean(values: list[float]) -> float:
    numbers = [value for value in values if not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else math.nan


def _json(scores: Scores, settings: Evaluate) -> str:
    content = {
        "reference": str(settings.reference),
        "prediction": str(settings.prediction),
        "mean_foreground_dice": scores.dice,
        "mean": scores.means,
        "notes": scores.notes,
        "labels": scores.labels,
        "cases": {
            case: {name: asdict(one) for name, one in per_label.items()}
            for case, per_label in scores.cases.items()
        },
    }
    return json.dumps(content, indent=2) + "\n"


def _print(scores: Scores) -> None:
    table = Table("label", "Dice", "HD95 mm", "volume difference ml")
    for name, figures in scores.means.items():
        table.add_row(name, *(f"{figures[figure]:.4f}" for figure in FIGURES))
    table.add_row("mean", f"{scores.dice:.4f}", "", "")
    console().print(table)
    for note in scores.notes:
        say(f"note: {note[:300]}")
