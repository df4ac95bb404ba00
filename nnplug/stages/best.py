"""best: which network or pair of networks to predict with, by cross-validation."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Column, Table

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import best_settings, existing_folder, trainer_options
from nnplug.config.settings import Best, Network
from nnplug.console import console, progress, say, warn
from nnplug.errors import ConfigError, DataError
from nnplug.stages import experiment
from nnplug.stages.mounting import mount, trained_options
from nnplug.whole import storage_errors, write_json

if TYPE_CHECKING:
    from nnplug.engine.ensembling import Member
    from nnplug.engine.environment import Device
    from nnplug.engine.selection import Candidate

NETWORKS: tuple[Network, ...] = ("2d", "3d_lowres", "3d_fullres", "3d_cascade_fullres")


def main(config: Mapping[str, Any], catalog: Catalog) -> float:
    """The verb; returns the best mean Dice."""
    return run(best_settings(config, catalog), catalog).mean


def run(settings: Best, catalog: Catalog) -> Candidate:
    """Validate what lacks probabilities, compare, and write ``best.json``.

    Raises:
        ConfigError: a model is not there.
        DataError: the models have different folds, or were validated on different cases.
    """
    from nnplug.engine import ensembling, environment, interrupts, mounting, selection

    folders = Folders.below(settings.paths.root)
    models = settings.models or _find_models(settings, catalog, folders)
    members = _members([existing_folder(model, "models") for model in models], settings.folds)
    pairs = settings.ensembles and len(members) > 1
    with storage_errors(folders.raw_base.parent):
        device = environment.enter(
            folders, device=settings.device, gpus=settings.trainer.gpus, workers=settings.workers
        )
    mounting.offer(catalog)
    output = ensembling.best_file(folders, settings.task)
    watch = interrupts.Watch(at_once=True)
    try:
        with storage_errors(output), environment.quiet(output.with_name("nnplug.log")), watch:
            if pairs:
                with environment.loud():
                    _write_softmax(members, settings.task, catalog, device)
            found = selection.candidates(folders, settings.task, members, pairs)
    except interrupts.Stop:
        raise watch.explain("best", "run the command again: what is done is kept") from None
    best = selection.choose(found)
    write_json(output, _content(settings.task, best, found, output.parent))
    _show(found, best)
    say(f"written: {output}")
    return best


def _find_models(settings: Best, catalog: Catalog, folders: Folders) -> list[Path]:
    """The folder of the experiment for each network, or the only one of the trainer."""
    options = trainer_options(settings.trainer, catalog)
    values = experiment.overrides(settings.trainer, options, None)
    models = []
    for network in settings.networks or NETWORKS:
        planned = experiment.planned_as(settings.planner, network, catalog)
        identifier = experiment.plans_identifier(values, planned)
        trainer = experiment.trainer_class_name(settings.trainer, network, catalog)
        exact = folders.model(network, settings.task, trainer, identifier)
        there = [path for path in sorted(exact.parent.glob(f"{trainer}__*")) if path.is_dir()]
        if exact.is_dir() or len(there) == 1:
            models.append(exact if exact.is_dir() else there[0])
        elif there or settings.networks:
            listed = ",".join(map(str, there))
            raise ConfigError(
                f"{'several models' if there else 'no model'} of {trainer} for {network}",
                where=str(exact.parent),
                hint=f"choose with models=[...] from {listed}" if there else "train it first",
            )
    if not models:
        raise ConfigError(
            f"no network was trained with {settings.trainer.name} for {settings.task}",
            where=str(folders.models),
            hint="train some first, or name their folders with models=[DIR, ...]",
        )
    return models


def _members(models: Sequence[Path], asked: Sequence[int]) -> list[Member]:
    """The models with the folds that all of them have."""
    from nnplug.engine.ensembling import Member
    from nnplug.engine.selection import validated_folds

    there = {model: validated_folds(model, asked) for model in models}
    if len(set(there.values())) > 1 or () in there.values():
        listed = "; ".join(f"{model}: {list(folds) or 'none'}" for model, folds in there.items())
        raise DataError(
            f"the models need the same trained and validated folds, but have {listed}",
            hint="train the missing folds, or name the common ones with folds=[...]",
        )
    folds = there[models[0]]
    if len(folds) < len(asked):
        warn(f"of folds {list(asked)} only {list(folds)} are there; these are compared")
    return [Member(model.resolve(), folds) for model in models]


def _write_softmax(members: Sequence[Member], task: str, catalog: Catalog, device: Device) -> None:
    from nnplug.engine import cascade, models
    from nnplug.engine.checkpoints import FINAL, read_record
    from nnplug.engine.job import TrainJob
    from nnplug.engine.selection import lacks_softmax
    from nnplug.engine.softmax import write_softmax

    missing = [
        (member.folder, fold)
        for member in members
        for fold in member.folds
        if lacks_softmax(member.folder, fold)
    ]
    if not missing:
        return
    with progress("validating with probabilities", len(missing)) as advance:
        for model, fold in missing:
            trainer, _, identifier = model.name.partition("__")
            spec = mount(trainer, catalog)
            record = read_record(model / f"fold_{fold}" / f"{FINAL}.model")
            network = model.parent.parent.name
            job = TrainJob(
                task=task,
                network=network,
                fold=fold,
                trainer=trainer,
                plans_identifier=identifier,
                options=trained_options(spec, record, str(model)),
                gpus=device.gpus,
                data_parallel=spec is not None and spec.for_network(network).data_parallel,
                first_stage=cascade.first_stage(model, models.first_info(model, [fold])),
            )
            write_softmax(job, device, model / f"fold_{fold}")
            advance()


def _content(
    task: str, best: Candidate, found: Sequence[Candidate], folder: Path
) -> dict[str, Any]:
    """``best.json``; its paths are relative, so that the results can be moved."""
    return {
        "task": task,
        "best": best.name,
        "members": [
            {"model": _relative(member.folder, folder), "folds": list(member.folds)}
            for member in best.best.members
        ],
        "postprocessing": _relative(best.best.postprocessing, folder),
        "scores": {
            one.name: {"mean_dice": _number(one.mean), "dice": _numbers(one.dice)} for one in found
        },
    }


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder.resolve())).as_posix()


def _numbers(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _show(found: Sequence[Candidate], best: Candidate) -> None:
    model = Column("model", overflow="fold")
    table = Table(model, *(f"Dice {label}" for label in best.dice), "mean")
    for one in found:
        figures = [*one.dice.values(), one.mean]
        style = "bold" if one is best else None
        table.add_row(one.name, *(f"{figure:.4f}" for figure in figures), style=style)
    console().print(table)
    say(f"best: {best.name}")
