"""The models to predict with: found, their trainers mounted, their weights read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import trainer_options
from nnplug.config.settings import Predict
from nnplug.errors import ConfigError
from nnplug.stages import experiment
from nnplug.stages.mounting import mount, trained_options

if TYPE_CHECKING:
    from nnplug.engine.ensembling import Ensemble
    from nnplug.engine.environment import Device
    from nnplug.engine.models import Model

BEST = "best"


def load(settings: Predict, catalog: Catalog, folders: Folders, device: Device) -> Ensemble:
    """Find the models, mount their trainers and read their weights; needs an entered engine.

    Raises:
        ConfigError: there is no such model, or several; or folds were given for ``best``.
        PluginError: a trainer's plugin is missing, or doesn't know its options.
        DataError, TrainingError: a model is incomplete or damaged.
    """
    from nnplug.engine.ensembling import Ensemble, read_best

    one = partial(_load, checkpoint=settings.checkpoint, catalog=catalog, device=device)
    file = _best_file(settings, folders)
    if file is None:
        wanted = settings.model
        folder = folders.find_model(wanted) if wanted else _find_model(settings, catalog, folders)
        return Ensemble.of(one(folder, settings.folds))
    if settings.folds is not None:
        raise ConfigError(
            "the folds are those that were compared", where=f"{file}", hint="folds=null"
        )
    best = read_best(file)
    models = tuple(one(member.folder, member.folds) for member in best.members)
    return Ensemble(models, best.postprocessing)


def _load(
    folder: Path,
    folds: Sequence[int | str] | None,
    checkpoint: str,
    catalog: Catalog,
    device: Device,
) -> Model:
    """A model; for a cascade's second stage with the first, by the same folds."""
    from nnplug.engine import cascade, checkpoints, models

    info = models.first_info(folder, folds, checkpoint)
    spec = mount(info["name"], catalog)
    before = cascade.first_stage(folder, info)
    first = None if before is None else _load(before, folds, checkpoints.FINAL, catalog, device)
    return models.load_model(
        folder,
        folds,
        checkpoint,
        device=device,
        find_options=partial(trained_options, spec, where=str(folder)),
        first_stage=first,
    )


def _best_file(settings: Predict, folders: Folders) -> Path | None:
    """The ``best.json`` that is meant, by its path or by its task; None if a model is."""
    from nnplug.engine import ensembling

    wanted = settings.model
    if wanted is not None and wanted.name == ensembling.BEST:
        return wanted
    if wanted is None or str(wanted) != BEST:
        return None
    if settings.task is not None:
        return ensembling.best_file(folders, settings.task)
    found = ensembling.best_files(folders)
    if len(found) == 1:
        return found[0]
    listed = "".join(f"\n     model={path}" for path in found)
    raise ConfigError(
        "the best model of which task?" if found else "nnplug best has not compared any models",
        where=str(folders.models),
        hint=f"give dataset=NAME, or choose one:{listed}" if found else "nnplug best dataset=NAME",
    )


def _find_model(settings: Predict, catalog: Catalog, folders: Folders) -> Path:
    """The folder of this very experiment, or the only one of that trainer."""
    assert settings.task is not None
    assert settings.trainer is not None
    trainer = experiment.trainer_class_name(settings.trainer, settings.network, catalog)
    options = trainer_options(settings.trainer, catalog)
    values = experiment.overrides(settings.trainer, options, None)
    planned = experiment.planned_as(settings.planner, settings.network, catalog)
    exact = folders.model(
        settings.network, settings.task, trainer, experiment.plans_identifier(values, planned)
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
