"""predict: segment new images with a trained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import SimpleITK as sitk

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import predict_settings
from nnplug.config.settings import Predict
from nnplug.console import progress, say, warn
from nnplug.errors import TrainingError
from nnplug.stages import fit, label_values, model
from nnplug.stages.inputs import check_there, find_input
from nnplug.stages.masks import Masks
from nnplug.whole import storage_errors

if TYPE_CHECKING:
    from nnplug.engine.prediction import CaseResult, PredictCase


def main(config: Mapping[str, Any], catalog: Catalog) -> None:
    """The verb."""
    run(predict_settings(config, catalog), catalog)


def run(settings: Predict, catalog: Catalog) -> list[CaseResult]:
    """Predict every case of ``settings.input`` of which some output is missing.

    Raises:
        ConfigError: the input or the model is not there.
        TrainingError: after all cases, if some could not be predicted.
    """
    from nnplug.engine import environment, prediction

    check_there(settings.input)
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
    todo = [case for case in source.cases if settings.overwrite or not masks.done(case)]
    label_values.note(settings.output, restore, fresh=len(todo) == len(source.cases))
    if len(todo) < len(source.cases):
        say(f"{len(source.cases) - len(todo)} of {len(source.cases)} cases are there already")

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

        results = prediction.predict(
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
            log=settings.output / "nnplug.log",
        )
    failed = [result.name for result in results if result.error is not None]
    if failed:
        raise TrainingError(
            f"{len(failed)} of {len(todo)} cases could not be predicted: {', '.join(failed)}",
            where=str(settings.output),
            hint="the other cases are done; the reasons are above",
        )
    say(f"{len(results)} predicted: {settings.output}")
    return results
