"""evaluate: predictions against reference labels, and one model against another."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog
from nnplug.config.load import evaluate_settings, existing_folder
from nnplug.config.settings import Evaluate
from nnplug.console import say
from nnplug.data import summary
from nnplug.data.duplicates import subjects_of
from nnplug.data.metrics import IN_NEITHER, Score
from nnplug.data.statistics import mean
from nnplug.data.summary import Comparison, Scores
from nnplug.data.taskfolder import CASE_MAP
from nnplug.errors import ConfigError
from nnplug.stages import score_tables
from nnplug.stages.scoring import label_images, score_folder


def main(config: Mapping[str, Any], catalog: Catalog) -> float:
    """The verb; returns the mean foreground Dice."""
    return run(evaluate_settings(config)).dice


def run(settings: Evaluate) -> Scores:
    """Score every reference case, write the JSON and CSV files and print a table.

    Raises:
        ConfigError: a folder is missing, or a case in the table of subjects.
        DataError: a prediction is missing, or not on its reference's grid.
    """
    reference = label_images(existing_folder(settings.reference, "reference"))
    subjects = _subjects(settings, list(reference))
    existing_folder(settings.prediction, "prediction")
    if settings.compare is not None:
        existing_folder(settings.compare, "compare")
    found, notes = score_folder(reference, settings.prediction, settings)
    other: dict[str, dict[int, Score]] = {}
    if settings.compare is not None:
        other, more = score_folder(reference, settings.compare, settings)
        notes += [f"compare: {note}" for note in more]
    every = {v for one in (found, other) for values in one.values() for v in values}
    labels = settings.foreground or {str(value): value for value in sorted(every)}
    draws = summary.Draws(settings.resamples, settings.seed)
    cases = _named(found, labels)
    comparison = None
    if settings.compare is not None:
        others = _named(other, labels)
        comparison = Comparison(
            others,
            summary.means(others),
            summary.differences(cases, others, subjects, draws),
        )
    scores = Scores(
        labels,
        cases,
        summary.means(cases),
        summary.intervals(cases, subjects, draws),
        summary.subject_means(cases, subjects),
        mean([one.dice for per_label in cases.values() for one in per_label.values()]),
        [*notes, *_absences(cases)],
        comparison,
    )
    for path in score_tables.write(scores, subjects, settings):
        say(f"written: {path}")
    score_tables.show(scores)
    return scores


def _subjects(settings: Evaluate, cases: Sequence[str]) -> dict[str, str]:
    """Case to subject; in a task folder's records a subject is called by its first case."""
    if settings.subjects is not None:
        listed = _listed(settings.subjects)
        missing = [case for case in cases if case not in listed]
        if missing:
            raise ConfigError(
                f"no subject for {len(missing)} cases: {', '.join(missing[:5])}",
                where=f"subjects={settings.subjects}",
                hint="give each case a row with its subject",
            )
        return {case: listed[case] for case in cases}
    folder = settings.reference.resolve()
    known = subjects_of(folder.parent / CASE_MAP) if folder.name.startswith("labelsT") else {}
    first: dict[str, str] = {}
    return {
        case: first.setdefault(known[case][0], case) if case in known else case for case in cases
    }


def _listed(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"can't be read: {error}", where=f"subjects={path}") from error
    return {row["case"]: row["subject"] for row in rows if row.get("case") and row.get("subject")}


def _named(
    found: Mapping[str, Mapping[int, Score]], labels: Mapping[str, int]
) -> dict[str, dict[str, Score]]:
    return {
        case: {name: scores.get(value, IN_NEITHER) for name, value in labels.items()}
        for case, scores in found.items()
    }


def _absences(cases: Mapping[str, Mapping[str, Score]]) -> list[str]:
    absent, one_sided = [], []
    for case, scores in cases.items():
        for name, one in scores.items():
            if math.isnan(one.dice):
                absent.append(f"{case}/{name}")
            elif math.isnan(one.hd95_mm):
                one_sided.append(f"{case}/{name}")
    notes = []
    if absent:
        notes.append(
            "in neither reference nor prediction, so NaN and left out of the means: "
            + ", ".join(absent)
        )
    if one_sided:
        notes.append(
            "in only one of reference and prediction, so Dice and surface Dice 0 and no "
            "distance: " + ", ".join(one_sided)
        )
    return notes
