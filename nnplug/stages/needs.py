"""What a training needs: the steps from source images to a validated fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from nnplug.config.settings import Fold as Number
from nnplug.stages import convert, plan, split
from nnplug.stages.fold import Fold
from nnplug.stages.fold_training import train
from nnplug.stages.steps import Look, Step


def data(target: Fold) -> list[Step]:
    """What every training needs: converted, planned and split."""
    settings, catalog, folders = target.settings, target.catalog, target.folders
    converted = Step(
        "convert",
        lambda: convert.look(settings, catalog),
        lambda _: plan.raw_task(settings, catalog, folders),
    )
    planned = Step(
        "plan, preprocess",
        lambda: plan.look(settings, catalog, folders),
        lambda _: plan.prepare(settings, catalog, folders),
        (converted,),
    )
    divided = Step(
        "split",
        lambda: split.look(settings, folders),
        lambda _: split.ensure(settings, folders),
        (planned,),
    )
    return [converted, planned, divided]


def first_stage(target: Fold, before: Sequence[Step]) -> list[Step]:
    """The folds of the cascade's first stage, and what they predict for the second.

    A case's prediction comes from a fold that was not trained with it, so every fold is needed;
    for ``fold=all`` that one alone, as in stock. There are no steps for other networks, nor for
    a target that is finished.

    Raises:
        DataError: there are cases that no fold validates.
    """
    first, settings = target.first_stage, target.settings
    if first is None or all(step.look().state == "done" for step in own(target, ())):
        return []
    numbers: Sequence[Number] = ["all"]
    if settings.fold != "all":
        numbers = split.numbers(settings, target.folders)
    found = []
    for number in numbers:
        numbered = replace(first.settings, fold=number)
        config = {**first.config, "fold": number}
        found += _predicted(replace(first, settings=numbered, config=config), before)
    return found


def own(target: Fold, before: Sequence[Step]) -> list[Step]:
    """The target's training and validation."""
    trained = Step("train", target.look, partial(train, target), tuple(before), target.folder)
    validated = Step(
        "validate", target.look_validated, partial(train, target), (trained,), target.folder
    )
    return [trained, validated]


def _predicted(fold: Fold, before: Sequence[Step]) -> list[Step]:
    def look() -> Look:
        if fold.look_predicted().state == "done":
            return Look("done", "its predictions are there")
        return fold.look()

    make = partial(train, fold)
    trained = Step(fold.name, look, make, tuple(before), fold.folder)
    name = f"{fold.name}, predictions for the next stage"
    return [trained, Step(name, fold.look_predicted, make, (trained,), fold.folder)]
