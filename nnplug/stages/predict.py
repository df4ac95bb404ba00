"""predict: segment a folder of images with a trained model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnplug.catalog import Catalog
from nnplug.config.build import build
from nnplug.config.folders import Folders
from nnplug.config.load import existing_folder, predict_settings
from nnplug.config.settings import Predict
from nnplug.console import progress, say, warn
from nnplug.data.files import storage_errors
from nnplug.errors import ConfigError, DataError, PluginError, TrainingError
from nnplug.stages import experiment, label_values

if TYPE_CHECKING:
    from nnplug.engine.models import Model
    from nnplug.engine.prediction import CaseResult, PredictCase

SUFFIX = ".nii.gz"
CHANNEL = re.compile(r"_(\d{4})$")


def main(config: Mapping[str, Any], catalog: Catalog) -> None:
    """The verb."""
    run(predict_settings(config, catalog), catalog)


def run(settings: Predict, catalog: Catalog) -> list[CaseResult]:
    """Predict every case of ``settings.input`` that has no output yet.

    Raises:
        ConfigError: the input or the model is not there.
        TrainingError: after all cases, if some could not be predicted.
    """
    from nnplug.engine import environment, prediction

    source = existing_folder(settings.input, "input")
    folders = Folders.below(settings.paths.root)
    with storage_errors(folders.raw_base.parent):
        device = environment.enter(
            folders, device=settings.device, gpus=None, workers=settings.workers
        )
    model = load(settings, catalog, folders, device)
    cases = find_cases(source, model.channels)
    todo = [
        case
        for case in cases
        if settings.overwrite or not (settings.output / f"{case.name}{SUFFIX}").is_file()
    ]
    restore = label_values.restoring(settings, model)
    label_values.note(settings.output, restore, fresh=len(todo) == len(cases))
    if len(todo) < len(cases):
        say(f"{len(cases) - len(todo)} of {len(cases)} cases are there already")
    with storage_errors(settings.output), progress("predicting", len(todo)) as advance:

        def done(result: CaseResult) -> None:
            if result.error is not None:
                warn(str(result.error))
            advance()

        results = prediction.predict(
            model,
            todo,
            settings.output,
            mirroring=settings.mirroring,
            step_size=settings.step_size,
            softmax=settings.softmax,
            restore=restore,
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


def load(settings: Predict, catalog: Catalog, folders: Folders, device: Any) -> Model:
    """Find the model, mount its trainer and read its weights."""
    from nnplug.engine import models, trainers

    folder = settings.model or _find_model(settings, catalog, folders)
    existing_folder(folder, "model")
    name = models.trainer_name(folder, settings.folds, settings.checkpoint)
    options_type: list[type] = []
    for entry in catalog.trainers:
        if entry.spec.target.partition(":")[2] == name:
            trainers.mount(
                entry.spec.target, str(entry.owner), data_parallel=entry.spec.data_parallel
            )
            options_type += [entry.spec.options] if entry.spec.options else []

    def find_options(record: Mapping[str, Any]) -> object | None:
        stored = record.get("options")
        if not options_type or not isinstance(stored, Mapping):
            return None
        try:
            options: object = build(options_type[0], stored, "options")
        except ConfigError as error:
            raise PluginError(
                f"the model's options don't fit the installed plugin: {error.problem}",
                where=str(folder),
                hint=f"it was trained with {record.get('owner')} {record.get('version')}",
            ) from error
        return options

    say(f"model {folder}")
    return models.load_model(
        folder,
        settings.folds,
        settings.checkpoint,
        device=device,
        find_options=find_options,
    )


def _find_model(settings: Predict, catalog: Catalog, folders: Folders) -> Path:
    """The folder of this very experiment, or the only one of that trainer."""
    assert settings.task is not None
    assert settings.trainer is not None
    trainer = experiment.trainer_class_name(settings.trainer, catalog)
    from nnplug.config.load import trainer_options

    options = trainer_options(settings.trainer, catalog)
    values = experiment.overrides(settings.trainer, options, None)
    exact = folders.model(
        settings.network, settings.task, trainer, experiment.plans_identifier(values)
    )
    if exact.is_dir():
        return exact
    found = sorted(path for path in exact.parent.glob(f"{trainer}__*") if path.is_dir())
    if len(found) == 1:
        return found[0]
    listed = "\n     ".join(f"model={path}" for path in found)
    raise ConfigError(
        f"{'several models' if found else 'no model'} of {trainer} for {settings.task} "
        f"{settings.network}",
        where=str(exact.parent),
        hint=f"choose one:\n     {listed}" if found else "train it first, or give model=DIR",
    )


def find_cases(folder: Path, channels: int) -> list[PredictCase]:
    """The cases of an input folder; ``NAME_0000.nii.gz`` and, for one channel, ``NAME.nii.gz``.

    With one channel the number is part of the name where numbers other than 0000 occur.

    Raises:
        DataError: no image, a missing channel, or two files for one case.
    """
    from nnplug.engine.prediction import PredictCase

    names = sorted(
        path.name.removesuffix(SUFFIX)
        for path in folder.iterdir()
        if path.name.endswith(SUFFIX) and not path.name.startswith(".")
    )
    if not names:
        raise DataError(
            f"there is no {SUFFIX} file",
            where=str(folder),
            hint="convert other formats first: nnplug convert dataset.unlabelled=true ...",
        )
    if channels == 1:
        named = _single(names)
        repeated = sorted({name for name in named if named.count(name) > 1})
        if repeated:
            raise DataError(
                f"{repeated[0]}{SUFFIX} and {repeated[0]}_0000{SUFFIX} are one case",
                where=str(folder),
                hint="remove one of them",
            )
        return [
            PredictCase(case, (folder / f"{name}{SUFFIX}",))
            for case, name in zip(named, names, strict=True)
        ]
    return [
        PredictCase(case, tuple(folder / f"{case}_{number:04d}{SUFFIX}" for number in numbers))
        for case, numbers in _multiple(folder, names, channels).items()
    ]


def _single(names: Sequence[str]) -> list[str]:
    numbers = {match.group(1) for match in map(CHANNEL.search, names) if match}
    return [CHANNEL.sub("", name) for name in names] if numbers == {"0000"} else list(names)


def _multiple(folder: Path, names: Sequence[str], channels: int) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for name in names:
        match = CHANNEL.search(name)
        if match is None:
            raise DataError(
                f"the model has {channels} channels, and {name}{SUFFIX} does not say which it is",
                where=str(folder),
                hint=f"name the files CASE_0000{SUFFIX} to CASE_{channels - 1:04d}{SUFFIX}",
            )
        found.setdefault(name[: match.start()], []).append(int(match.group(1)))
    for case, numbers in found.items():
        if numbers != list(range(channels)):
            listed = ", ".join(f"{number:04d}" for number in numbers)
            raise DataError(
                f"case {case} has the channels {listed}; the model wants 0000 to "
                f"{channels - 1:04d}",
                where=str(folder),
            )
    return found
