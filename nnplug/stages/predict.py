"""predict: segment new images with a trained model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import SimpleITK as sitk

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import predict_settings
from nnplug.config.settings import Predict
from nnplug.console import progress, say, warn
from nnplug.errors import ConfigError, TrainingError
from nnplug.stages import fit, label_values, model
from nnplug.stages.inputs import check_there, find_input
from nnplug.stages.masks import Masks
from nnplug.sweeps.shards import Shard, Shards
from nnplug.whole import storage_errors

if TYPE_CHECKING:
    from nnplug.engine.prediction import CaseResult, PredictCase


def main(config: Mapping[str, Any], catalog: Catalog) -> None:
    """The verb, or one shard of it."""
    settings = predict_settings(config, catalog)
    run(settings, catalog, Shards.wanted("predict", config), Shard.given(config))


def run(
    settings: Predict, catalog: Catalog, shards: Shards | None = None, shard: Shard | None = None
) -> list[CaseResult]:
    """Predict every case of ``settings.input`` of which some output is missing.

    With ``shards`` other processes predict, and what they leave is done here: cases that can't be
    predicted are met here again. A ``shard`` does its share of the cases, and only warns of those.

    Returns:
        What became of every case that was not there; its time is NaN if a shard did it.

    Raises:
        ConfigError: the input or the model is not there, or shards are to overwrite.
        TrainingError: after all cases, if some could not be predicted.
        SweepError: every shard was lost.
    """
    from nnplug.engine import environment, prediction

    check_there(settings.input)
    if shards is not None and settings.overwrite:
        raise ConfigError(
            "shards know by the masks that are there what is left, so they can't replace them",
            where="overwrite",
            hint="choose a new output, or leave parallel out",
        )
    folders = Folders.below(settings.paths.root)
    with storage_errors(folders.raw_base.parent):
        device = environment.enter(
            folders,
            device=settings.device,
            gpus=None,
            workers=settings.workers,
            precision=settings.precision,
        )
    loaded = model.load(settings, catalog, folders, device)
    for one in loaded.models:
        say(f"model {one.folder}, {', '.join(fold.name for fold in one.folds)}")
    source = find_input(settings, catalog, folders, loaded.channels)
    restore = label_values.restoring(settings, loaded)
    masks = Masks(settings, catalog, source, loaded, restore)
    cases = shard.of(source.cases) if shard else source.cases
    left = [settings.overwrite or not masks.done(case) for case in cases]
    todo = [case for case, wanted in zip(cases, left, strict=True) if wanted]
    if shard is None:
        label_values.note(settings.output, restore, fresh=len(todo) == len(cases))
    if len(todo) < len(cases):
        say(f"{len(cases) - len(todo)} of {len(cases)} cases are there already")
    spread: list[CaseResult] = []
    if shards is not None:
        shards.run(left)
        spread = [
            prediction.CaseResult(case.name, masks.path(case), None, math.nan)
            for case in todo
            if masks.done(case)
        ]
        todo = [case for case in todo if not masks.done(case)]

    def read(case: PredictCase) -> Sequence[Path] | Sequence[sitk.Image]:
        images = source.read(case)
        for remark in fit.unlike_training(images, loaded.plans, loaded.models[0].record):
            warn(f"case {case.name}: {remark}")
        return images

    with storage_errors(settings.output), progress("predicting", len(todo)) as advance:

        def done(result: CaseResult) -> None:
            if result.error is not None:
                warn(str(result.error))
            advance()

        results = spread + prediction.predict(
            loaded,
            todo,
            settings.output,
            mirroring=settings.mirroring,
            step_size=settings.step_size,
            softmax=settings.softmax,
            read=read,
            write=masks.write,
            workers=settings.workers,
            on_case=done,
            log=settings.output / (f"nnplug_{shard.number:04d}.log" if shard else "nnplug.log"),
        )
    failed = [result.name for result in results if result.error is not None]
    if failed and shard is None:
        raise TrainingError(
            f"{len(failed)} of {len(results)} cases could not be predicted: {', '.join(failed)}",
            where=str(settings.output),
            hint="the other cases are done; the reasons are above",
        )
    say(f"{len(results) - len(failed)} predicted: {settings.output}")
    return results
