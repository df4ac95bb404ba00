"""plan: nnU-Net's integrity check, planning and preprocessing, where they are missing or stale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import model_settings
from nnplug.config.settings import ModelSettings
from nnplug.console import say, warn
from nnplug.data.files import storage_errors
from nnplug.data.splits import FOLDS
from nnplug.data.taskfolder import TaskFolder
from nnplug.errors import ConfigError, DataError
from nnplug.stages import convert, device, experiment
from nnplug.stages.locking import locked


def main(config: Mapping[str, Any], catalog: Catalog) -> None:
    """The verb."""
    settings = model_settings(config, catalog)
    folders = Folders.below(settings.paths.root)
    device.enter(settings, catalog, folders)
    run(settings, catalog, folders)


def run(settings: ModelSettings, catalog: Catalog, folders: Folders) -> str:
    """Bring the task folder and nnU-Net's plans up to date; needs an entered engine.

    Returns:
        The plans identifier to train with.

    Raises:
        DataError: the task folder is incomplete or wrong.
        ConfigError: an override that the network's shape does not allow.
    """
    task = raw_task(settings, catalog, folders)
    name = settings.dataset.task
    _check_fold(settings, task)
    with locked(folders.preprocessed / name, "is being planned"):
        _prepare(settings, folders, task)
        values, identifier = experiment.identify(settings, catalog)
        if identifier != experiment.STOCK_PLANS:
            from nnplug.engine import plans

            changes = {key: values.get(key) for key in experiment.PLAN_KEYS}
            plans.derive(
                folders, name, settings.network, identifier, plans.PlanOverrides(**changes)
            )
    _describe(settings, folders, identifier)
    return identifier


def raw_task(settings: ModelSettings, catalog: Catalog, folders: Folders) -> TaskFolder:
    """The task folder, converted first if the source is given.

    Raises:
        ConfigError: there is neither a source nor a converted task.
    """
    task = TaskFolder(folders.task(settings.dataset.task))
    if settings.dataset.source is not None:
        convert.run(settings, catalog)
    elif not task.is_complete:
        raise ConfigError(
            f"the task {task.path.name} is not (completely) converted",
            where=str(task.path),
            hint="give dataset.source=DIR",
        )
    return task


def _check_fold(settings: ModelSettings, task: TaskFolder) -> None:
    cases = len(task.training_cases())
    if cases == 0:
        raise DataError("there are no training cases", where=str(task.path))
    if cases < FOLDS and settings.fold != "all":
        raise DataError(
            f"{cases} training cases can't be split into {FOLDS} folds",
            where=str(task.path),
            hint="use fold=all, or add cases",
        )


def _prepare(settings: ModelSettings, folders: Folders, task: TaskFolder) -> None:
    from nnplug.engine import planning

    name, network = settings.dataset.task, settings.network
    state = task.data_hash()
    known = planning.stamped(folders, name, network)
    planned = planning.is_planned(folders, name, network)
    if planned and known == state:
        return
    if planned and known is None:
        warn(
            f"{name} was planned without nnplug and is used as it is; "
            f"remove {folders.preprocessed / name} to plan it anew"
        )
        return
    say(f"checking, planning and preprocessing {name} for {network}")
    for remark in planning.verify(name):
        warn(remark)
    log = folders.preprocessed / name / "nnplug_plan.log"
    with storage_errors(folders.preprocessed / name):
        planning.prepare(
            folders,
            name,
            network,
            settings.workers,
            log=log,
            fresh=known != state,
        )
        planning.stamp(folders, name, network, state)


def _describe(settings: ModelSettings, folders: Folders, identifier: str) -> None:
    from nnplug.engine import plans

    facts = plans.describe(folders, settings.dataset.task, settings.network, identifier)
    listed = ", ".join(f"{key} {value}" for key, value in facts.items())
    say(f"plans {identifier} for {settings.network}: {listed}")
