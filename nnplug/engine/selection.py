"""Choose among models and pairs of them by cross-validation, as nnU-Net does.

The files are those of ``nnUNet_find_best_configuration``: ``cv_niftis_raw``,
``cv_niftis_postprocessed`` and ``postprocessing.json`` in each model's folder, and ``ensembles``
beside the networks. What is newer than its inputs is kept.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from nnplug.config.folders import Folders
from nnplug.engine import environment
from nnplug.engine.checkpoints import FINAL
from nnplug.engine.ensembling import Best, Member, ensemble
from nnplug.engine.safe import read_pickle
from nnplug.errors import DataError

VALIDATION = "validation_raw"
SUMMARY = "summary.json"
POSTPROCESSING = "postprocessing.json"
SUFFIX = ".nii.gz"


@dataclass(frozen=True)
class Candidate:
    """A model or a pair of models.

    Attributes:
        name: as nnU-Net calls it; two models of one network have their folders' names added.
        best: its members and post-processing.
        dice: label value to mean Dice of the cross-validation before post-processing; NaN where
            no case has the label.
    """

    name: str
    best: Best
    dice: Mapping[str, float]

    @property
    def mean(self) -> float:
        """Mean Dice over the foreground labels that occur."""
        numbers = [value for value in self.dice.values() if not math.isnan(value)]
        return sum(numbers) / len(numbers) if numbers else math.nan


def validated_folds(model: Path, asked: Iterable[int]) -> tuple[int, ...]:
    """Which of the asked-for folds were trained to the end and validated."""
    return tuple(
        fold
        for fold in asked
        if (model / f"fold_{fold}" / VALIDATION / SUMMARY).is_file()
        and (model / f"fold_{fold}" / f"{FINAL}.model").is_file()
    )


def validated_cases(member: Member) -> dict[str, Path]:
    """Case to the file of its validation, without ending."""
    found = {
        path.name.removesuffix(SUFFIX): path.with_name(path.name.removesuffix(SUFFIX))
        for fold in member.folds
        for path in sorted((member.folder / f"fold_{fold}" / VALIDATION).glob(f"*{SUFFIX}"))
    }
    return dict(sorted(found.items()))


def lacks_softmax(model: Path, fold: int) -> bool:
    """Whether a validated case has no probabilities, or some of an earlier training."""
    trained = (model / f"fold_{fold}" / f"{FINAL}.model").stat().st_mtime_ns
    for stem in validated_cases(Member(model, (fold,))).values():
        softmax = Path(f"{stem}.npz")
        if not softmax.is_file() or softmax.stat().st_mtime_ns < trained:
            return True
    return False


def candidates(
    folders: Folders, task: str, models: Sequence[Member], pairs: bool
) -> list[Candidate]:
    """Every model, then every pair of them, with their cross-validation.

    Args:
        folders: of nnU-Net, as given to ``environment.enter``.
        task: e.g. ``"Task128_LungLobe"``.
        models: with the same folds; for pairs all have probabilities (:func:`lacks_softmax`).
        pairs: try the mean of each two models too.

    Raises:
        DataError: the models were validated on different cases.
    """
    cases = [set(validated_cases(model)) for model in models]
    for model, those in zip(models[1:], cases[1:], strict=True):
        if those != cases[0]:
            different = ", ".join(sorted(those ^ cases[0])[:5])
            raise DataError(
                f"it was validated on other cases than {models[0].folder}: {different}",
                where=str(model.folder),
                hint="train all models on one split of one conversion",
            )
    networks = [_network(model) for model in models]
    found = [
        _single(model, network if networks.count(network) == 1 else _full_name(model))
        for model, network in zip(models, networks, strict=True)
    ]
    return found + [_pair(folders, task, two) for two in combinations(models, 2) if pairs]


def choose(found: Sequence[Candidate]) -> Candidate:
    """The candidate with the highest mean Dice; the first of equal ones.

    Raises:
        DataError: there is no Dice at all.
    """
    numbers = [one for one in found if not math.isnan(one.mean)]
    if not numbers:
        raise DataError("no validation case has any foreground: there is nothing to compare")
    return max(numbers, key=lambda one: one.mean)


def _single(model: Member, name: str) -> Candidate:
    folder = model.folder
    stems = validated_cases(model)
    result = folder / POSTPROCESSING
    inputs = [Path(f"{stem}{SUFFIX}") for stem in stems.values()]
    if not _current(result, inputs, folder / "cv_niftis_raw"):
        raw = _emptied(folder, "cv_niftis_raw", "cv_niftis_postprocessed")
        for path in inputs:
            shutil.copy(path, raw)
        first = folder / f"fold_{model.folds[0]}" / VALIDATION / SUMMARY
        labels = [int(value) for value in _means(first)]
        _score(raw, folder / "gt_niftis", labels, "cv_niftis_postprocessed")
    return Candidate(name, Best((model,), result), _dice(folder / "cv_niftis_raw" / SUMMARY))


def _pair(folders: Folders, task: str, two: tuple[Member, ...]) -> Candidate:
    name = f"ensemble_{'--'.join(map(_full_name, two))}"
    folder = folders.models / "ensembles" / task / name
    result = folder / POSTPROCESSING
    stems = [validated_cases(model) for model in two]
    inputs = [Path(f"{stem}.npz") for each in stems for stem in each.values()]
    if not _current(result, inputs, folder / "ensembled_raw"):
        raw = _emptied(folder, "ensembled_raw", "ensembled_postprocessed")
        work = [([each[case] for each in stems], raw / f"{case}{SUFFIX}") for case in stems[0]]
        with multiprocessing.get_context("fork").Pool(environment.worker_count()) as pool:
            pool.starmap(ensemble, work)
            pool.close()
            pool.join()
        labels = [int(value) for value in read_pickle(two[0].folder / "plans.pkl")["all_classes"]]
        references = folders.preprocessed / task / "gt_segmentations"
        _score(raw, references, labels, "ensembled_postprocessed")
    return Candidate(name, Best(two, result), _dice(folder / "ensembled_raw" / SUMMARY))


def _network(model: Member) -> str:
    return model.folder.parent.parent.name


def _full_name(model: Member) -> str:
    return f"{_network(model)}__{model.folder.name}"


def _current(result: Path, inputs: Sequence[Path], folder: Path) -> bool:
    names = {path.name.removesuffix(SUFFIX).removesuffix(".npz") for path in inputs}
    there = {path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}")}
    if names != there or not result.is_file() or not (folder / SUMMARY).is_file():
        return False
    return result.stat().st_mtime_ns >= max(path.stat().st_mtime_ns for path in inputs)


def _emptied(folder: Path, raw: str, final: str) -> Path:
    for name in (raw, final):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / POSTPROCESSING).unlink(missing_ok=True)
    (folder / raw).mkdir(parents=True)
    return folder / raw


def _score(raw: Path, references: Path, labels: Sequence[int], final: str) -> None:
    """Score the masks in ``raw`` and decide on the post-processing; writes stock's files."""
    from nnunet.evaluation.evaluator import aggregate_scores
    from nnunet.postprocessing.connected_components import determine_postprocessing

    threads = environment.worker_count()
    masks = sorted(raw.glob(f"*{SUFFIX}"))
    lost = [path.name for path in masks if not (references / path.name).is_file()]
    if lost:
        names = ", ".join(name.removesuffix(SUFFIX) for name in lost[:5])
        raise DataError(
            f"there is no reference for {names}",
            where=str(references),
            hint="validate the folds again: nnplug train ... resume=true",
        )
    pairs = [(str(path), str(references / path.name)) for path in masks]
    aggregate_scores(
        pairs, labels=list(labels), json_output_file=str(raw / SUMMARY), num_threads=threads
    )
    determine_postprocessing(
        str(raw.parent), str(references), raw.name, final_subf_name=final, processes=threads
    )


def _means(summary: Path) -> dict[str, dict[str, float]]:
    """The means by label value; nnU-Net adds a row ``mean`` to some of these files."""
    try:
        rows = json.loads(summary.read_text(encoding="utf-8"))["results"]["mean"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"can't be used: {error}", where=str(summary)) from error
    return {label: row for label, row in rows.items() if label.isdigit()}


def _dice(summary: Path) -> dict[str, float]:
    return {label: float(row["Dice"]) for label, row in _means(summary).items() if label != "0"}
