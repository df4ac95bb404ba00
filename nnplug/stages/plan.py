"""plan: nnU-Net's integrity check, planning and preprocessing, where they are missing or stale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import model_settings, planner_target
from nnplug.config.settings import ModelSettings
from nnplug.console import say, warn
from nnplug.data.splits import FOLDS, SPLITS
from nnplug.data.taskfolder import TaskFolder
from nnplug.errors import ConfigError, DataError
from nnplug.stages import convert, device, experiment
from nnplug.stages.locking import locked
from nnplug.stages.steps import Look
from nnplug.whole import storage_errors

if TYPE_CHECKING:
    from nnplug.engine.planners import Planner


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
        PluginError: the planner or its preprocessor can't be used.
    """
    raw_task(settings, catalog, folders)
    return prepare(settings, catalog, folders)


def prepare(settings: ModelSettings, catalog: Catalog, folders: Folders) -> str:
    """The same for a task that is converted; raises as :func:`run`."""
    task = TaskFolder(folders.task(settings.dataset.task))
    preprocessed = folders.preprocessed / task.path.name
    _check_fold(settings, task, preprocessed)
    stages = [settings]
    if settings.network == experiment.CASCADE:
        stages.append(experiment.first_stage(settings))
    with locked(preprocessed, "is being planned"):
        _prepare(settings, catalog, folders, task)
        for stage in stages:
            _derive(stage, catalog, folders)
    identifier = experiment.identify(settings, catalog)[1]
    _describe(settings, folders, identifier)
    return identifier


def look(settings: ModelSettings, catalog: Catalog, folders: Folders) -> Look:
    """Whether the task is planned and preprocessed as it is now.

    Raises:
        DataError: the network needs another stage than the plans have.
    """
    from nnplug.engine import planning, plans

    name, network = settings.dataset.task, settings.network
    task = TaskFolder(folders.task(name))
    if not task.is_complete:
        return Look("missing", "not converted yet")
    planner, packages = _planner(settings, catalog)
    known = planning.stamped(folders, name, network, planner.identifier)
    if not planning.is_planned(folders, name, network, planner.identifier):
        return Look("missing", "no plans, or not all cases")
    path = plans.plans_file(folders, name, network, planner.identifier)
    plans.stage_of(plans.read(path), network, path)
    if known is None:
        return Look("done", "without nnplug")
    if known != _state(task, planner, packages):
        return Look("stale", "the data or the planner's package have changed")
    return Look("done")


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


def preprocessor(folders: Folders, settings: ModelSettings, identifier: str) -> str:
    """The class of the preprocessor that these plans name; "" if they are too old to."""
    from nnplug.engine import plans

    path = plans.plans_file(folders, settings.dataset.task, settings.network, identifier)
    return str(plans.read(path).get("preprocessor_name") or "")


def _check_fold(settings: ModelSettings, task: TaskFolder, preprocessed: Path) -> None:
    cases = len(task.training_cases())
    if cases == 0:
        raise DataError("there are no training cases", where=str(task.path))
    given = settings.split.file is not None or (preprocessed / SPLITS).is_file()
    if cases < FOLDS and settings.fold != "all" and not given:
        raise DataError(
            f"{cases} training cases can't be split into {FOLDS} folds",
            where=str(task.path),
            hint="use fold=all, or add cases",
        )


def _planner(settings: ModelSettings, catalog: Catalog) -> tuple[Planner, str]:
    """The planner, and the packages (with versions) that it and the preprocessor are from."""
    from nnplug.engine.planners import Planner

    chosen, network = settings.planner, settings.network
    planner = catalog.planners.get(chosen.name)
    owners, preprocessor = [planner.owner], None
    if chosen.preprocessor is not None:
        entry = catalog.preprocessors.get(chosen.preprocessor)
        preprocessor = entry.spec.target.partition(":")[2]
        owners.append(entry.owner)
    identifier = experiment.planned_as(chosen, network, catalog)
    target = planner_target(chosen, network, catalog)
    packages = sorted({f"{owner.distribution} {owner.version}" for owner in owners})
    return Planner(target, str(planner.owner), identifier, preprocessor), ", ".join(packages)


def _state(task: TaskFolder, planner: Planner, packages: str) -> str:
    """What plans are made of: the data, and the packages unless they are nnU-Net's own."""
    data = task.data_hash()
    return data if planner.identifier == experiment.STOCK_PLANS else f"{data} ({packages})"


def _prepare(settings: ModelSettings, catalog: Catalog, folders: Folders, task: TaskFolder) -> None:
    from nnplug.engine import planning

    name, network = settings.dataset.task, settings.network
    planner, packages = _planner(settings, catalog)
    state = _state(task, planner, packages)
    known = planning.stamped(folders, name, network, planner.identifier)
    if look(settings, catalog, folders).state == "done":
        if known is None:
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
            planner=planner,
            on_note=warn,
        )
        planning.stamp(folders, name, network, state, planner.identifier)


def _derive(settings: ModelSettings, catalog: Catalog, folders: Folders) -> None:
    values, identifier = experiment.identify(settings, catalog)
    planned = experiment.planned_as(settings.planner, settings.network, catalog)
    if identifier != planned:
        from nnplug.engine import plans

        changes = plans.PlanOverrides(**{key: values.get(key) for key in experiment.PLAN_KEYS})
        name = settings.dataset.task
        plans.derive(folders, name, settings.network, identifier, changes, planned)


def _describe(settings: ModelSettings, folders: Folders, identifier: str) -> None:
    from nnplug.engine import plans

    facts = plans.describe(folders, settings.dataset.task, settings.network, identifier)
    listed = ", ".join(f"{key} {value}" for key, value in facts.items())
    say(f"plans {identifier} for {settings.network}: {listed}")
