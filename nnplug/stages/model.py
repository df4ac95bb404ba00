"""The model to predict with: found, its trainer mounted, its weights read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnplug.catalog import Catalog
from nnplug.config.build import build
from nnplug.config.folders import Folders
from nnplug.config.load import trainer_options
from nnplug.config.settings import Predict
from nnplug.errors import ConfigError, PluginError
from nnplug.stages import experiment

if TYPE_CHECKING:
    from nnplug.engine.environment import Device
    from nnplug.engine.models import Model


def load(settings: Predict, catalog: Catalog, folders: Folders, device: Device) -> Model:
    """Find the model, mount its trainer and read its weights; needs an entered engine.

    Raises:
        ConfigError: there is no such model, or several.
        PluginError: its trainer's plugin is missing, or doesn't know its options.
        DataError, TrainingError: the model is incomplete or damaged.
    """
    from nnplug.engine import models, trainers

    if settings.model is None:
        folder = _find_model(settings, catalog, folders)
    else:
        folder = folders.find_model(settings.model)
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
