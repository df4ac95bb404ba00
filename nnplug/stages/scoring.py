"""Score a folder of predictions against a folder of references, case by case."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from nnplug.config.settings import Evaluate
from nnplug.console import progress, warn
from nnplug.data import geometry, labels
from nnplug.data.metrics import Score, score
from nnplug.errors import DataError, SourceError
from nnplug.formats.itk import read_image
from nnplug.stages import label_values
from nnplug.stages.workers import each

SUFFIXES = (".nii.gz", ".nii", ".mha", ".nrrd")


def label_images(folder: Path) -> dict[str, Path]:
    """Case to label image.

    Raises:
        DataError: there is none, or two of one case.
    """
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


def score_folder(
    reference: Mapping[str, Path], folder: Path, settings: Evaluate
) -> tuple[dict[str, dict[int, Score]], list[str]]:
    """Score the predictions in ``folder``: case to label value to score, and notes.

    Args:
        reference: case to label image.
        folder: has a prediction for each of them.
        settings: the labels, the tolerance and the number of processes.

    Raises:
        DataError: a prediction is missing, not on its reference's grid, or has label values
            that are numbered differently.
    """
    label_values.compare_records(settings.reference, folder)
    prediction = label_images(folder)
    notes = _compare_names(reference, prediction, folder)
    pairs = [(name, path, prediction[name]) for name, path in reference.items()]
    declared = set(settings.foreground.values())
    found: dict[str, dict[int, Score]] = {}
    wanted: set[int] = set()
    got: set[int] = set()
    with (
        progress("scoring", len(pairs)) as advance,
        closing(
            each(partial(_score_case, settings=settings), pairs, min(settings.workers, len(pairs)))
        ) as outcomes,
    ):
        for _, outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
            found[outcome.name] = outcome.scores
            wanted |= outcome.reference
            got |= outcome.prediction
            advance()
    label_values.compare(wanted, got, declared, folder)
    return {name: found[name] for name in reference}, notes


def _compare_names(
    reference: Mapping[str, Path], prediction: Mapping[str, Path], folder: Path
) -> list[str]:
    missing = sorted(reference.keys() - prediction.keys())
    if missing:
        raise DataError(
            f"{len(missing)} of {len(reference)} cases have no prediction: "
            f"{', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}",
            where=str(folder),
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


def _score_case(pair: tuple[str, Path, Path], settings: Evaluate) -> _CaseScores:
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
        value: score(wanted == value, got == value, (z, y, x), settings.tolerance(value))
        for value in sorted(set(settings.foreground.values()) or before | after)
    }
    return _CaseScores(name, scores, before, after)
