"""train: from source images (or whatever is there already) to a validated model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import model_settings, trainer_options
from nnplug.config.settings import ModelSettings
from nnplug.console import console, say
from nnplug.data.files import storage_errors
from nnplug.data.splits import ensure_subject_splits
from nnplug.data.taskfolder import TaskFolder
from nnplug.errors import ConfigError
from nnplug.runs import EpochReport, RunInfo, RunResult
from nnplug.stages import (
    device,
    experiment,
    lifecycle,
    origin,
    plan,
    pretrained,
    provenance,
    record,
)

if TYPE_CHECKING:
    from nnplug.engine.environment import Device
    from nnplug.engine.training import TrainResult


NAN = float("nan")


def main(config: Mapping[str, Any], catalog: Catalog) -> None:
    """The verb."""
    run(model_settings(config, catalog), catalog, config)


def run(settings: ModelSettings, catalog: Catalog, config: Mapping[str, Any]) -> TrainResult:
    """Do what is missing of convert and plan, then train and validate one fold.

    Raises:
        NnplugError: whatever keeps the fold from being trained; what is done is kept.
    """
    folders = Folders.below(settings.paths.root)
    entered = device.enter(settings, catalog, folders)
    from nnplug.engine import distributed, mounting, training
    from nnplug.engine.environment import devices
    from nnplug.engine.overrides import Overrides

    entry = catalog.trainers.get(settings.trainer.name)
    options = trainer_options(settings.trainer, catalog)
    cls = mounting.mount(mounting.trainer_kind(entry.spec), entry.spec.target, str(entry.owner))
    start = pretrained.find(settings.pretrained, folders)
    identifier = plan.run(settings, catalog, folders)
    task = TaskFolder(folders.task(settings.dataset.task))
    preprocessed = folders.preprocessed / settings.dataset.task
    with storage_errors(preprocessed):
        ensure_subject_splits(preprocessed, task)
    fold = "all" if settings.fold == "all" else f"fold_{settings.fold}"
    folder = folders.model(settings.network, settings.dataset.task, cls.__name__, identifier) / fold
    made_by = origin.of(entry, entry.spec.target)
    planning = origin.of_planning(
        settings, catalog, plan.preprocessor(folders, settings, identifier)
    )
    job = training.TrainJob(
        task=settings.dataset.task,
        network=settings.network,
        fold=settings.fold,
        trainer=cls.__name__,
        plans_identifier=identifier,
        settings={
            attribute: getattr(settings.trainer, key)
            for key, attribute in experiment.ATTRIBUTES.items()
        },
        overrides=Overrides(
            **{key: getattr(settings.trainer, key) for key in experiment.BEHAVIOUR}
        ),
        options=options,
        gpus=entered.gpus,
        data_parallel=entry.spec.data_parallel,
        distributed=entry.spec.distributed,
        distribute_batch_size=bool(settings.trainer.distribute_batch_size),
        resume=settings.resume,
        extend=settings.extend,
        checkpoint_minutes=settings.checkpoint_minutes,
        data_hash=task.data_hash(),
        seed=settings.seed,
        pretrained=start,
        record={
            **made_by,
            **planning,
            "source_labels": task.source_labels(),
            "orientations": task.orientations(),
        },
        patch_every=settings.overlays,
    )
    labels = sorted((value, name) for name, value in settings.dataset.labels.items() if value)
    run = RunInfo(
        id=record.run_id(folder, settings.resume),
        verb="train",
        name=folder.relative_to(folders.models).as_posix(),
        folder=folder,
        config=record.recorded(config),
        labels=tuple(name for _, name in labels),
        resumed=settings.resume,
    )
    facts = {
        **record.about(run, config),
        "trackers": [asdict(tracker) for tracker in settings.tracking],
        "root": str(settings.paths.root.resolve()),
        "seed": settings.seed,
        "data_hash": job.data_hash,
        "trainer": made_by,
        "device": asdict(entered),
        **provenance.facts(catalog, devices()),
    }
    say(
        f"training {settings.network} fold {settings.fold} with {cls.__name__} on {_where(entered)}"
    )
    say(f"  {folder}")
    with storage_errors(folder), lifecycle.lived(run, facts, catalog) as life:

        def on_epoch(report: EpochReport) -> None:
            _print_epoch(report)
            life.epoch(report)

        run_job = training.run
        if job.distributed:
            run_job = partial(distributed.launch, processes=_processes(settings, entered))
        result = run_job(
            folders,
            entered,
            job,
            on_epoch=on_epoch,
            on_note=say,
            on_start=life.start,
            log=folder / "nnplug.log",
        )
        life.result = _result(result, labels)
    _print_summary(result, settings)
    return result


def _result(result: TrainResult, labels: Sequence[tuple[int, str]]) -> RunResult:
    summary = _read_summary(result.summary_json)
    dice = {name: float(summary.get(str(value), {}).get("Dice", NAN)) for value, name in labels}
    return RunResult(result.epochs_done, dice, result.mean_dice)


def _processes(settings: ModelSettings, entered: Device) -> int:
    """Of a distributed trainer: one a GPU, or as many as were asked for on the CPU."""
    wanted = settings.trainer.processes
    if entered.kind == "cuda" and wanted not in (None, len(entered.gpus)):
        raise ConfigError(
            f"one process a GPU, so {len(entered.gpus)}, not {wanted}",
            where="trainer.processes",
            hint="leave it out, or change trainer.gpus",
        )
    return wanted or max(1, len(entered.gpus))


def _where(entered: Device) -> str:
    if entered.kind != "cuda":
        return str(entered.kind)
    return f"GPU {', '.join(map(str, entered.gpus))}"


def _print_epoch(report: EpochReport) -> None:
    dice = " ".join(f"{value:.3f}" for value in report.dice)
    say(
        f"epoch {report.epoch}/{report.epochs}  train loss {report.train_loss:.4f}  "
        f"validation loss {report.val_loss:.4f}  Dice [{dice}]  lr {report.lr:.2g}  "
        f"{report.seconds:.1f} s"
    )


def _print_summary(result: TrainResult, settings: ModelSettings) -> None:
    summary = _read_summary(result.summary_json)
    table = Table("label", "validation Dice")
    names = {str(value): name for name, value in settings.dataset.labels.items()}
    for value, figures in summary.items():
        if value != "0":
            table.add_row(names.get(value, value), f"{figures.get('Dice', float('nan')):.4f}")
    if result.mean_dice is not None:
        table.add_row("mean", f"{result.mean_dice:.4f}")
    console().print(table)
    say(f"model: {result.model_folder}")
    say(
        f"next: nnplug predict model={result.model_folder} folds=[{settings.fold}] "
        "input=DIR output=DIR"
    )


def _read_summary(path: Path) -> dict[str, dict[str, float]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    mean: dict[str, dict[str, float]] = content["results"]["mean"]
    return mean
