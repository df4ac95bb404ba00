"""The training of one fold: its job for the engine, and its run from start to end."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnplug.config.load import trainer_options
from nnplug.config.settings import ModelSettings
from nnplug.console import say
from nnplug.data.taskfolder import TaskFolder
from nnplug.errors import ConfigError
from nnplug.runs import EpochReport, RunInfo, RunResult
from nnplug.stages import experiment, lifecycle, origin, plan, pretrained, provenance, record
from nnplug.stages.fold import Fold
from nnplug.whole import storage_errors

if TYPE_CHECKING:
    from nnplug.engine.environment import Device
    from nnplug.engine.job import TrainJob, TrainResult


def train(fold: Fold, device: Device) -> TrainResult:
    """Do what is missing of training, validation and predictions for the next stage.

    Raises:
        NnplugError: whatever keeps the fold from being trained; what is done is kept.
    """
    from nnplug.engine import distributed, training
    from nnplug.engine.environment import devices, threads

    cls = fold.mount()
    task = TaskFolder(fold.folders.task(fold.settings.dataset.task))
    made_by = origin.of(fold.catalog.trainers.get(fold.settings.trainer.name), fold.spec.target)
    job = _job(fold, cls, device, task, made_by)
    settings, labels = fold.settings, fold.settings.dataset.labels
    run = RunInfo(
        id=record.run_id(fold.folder, settings.resume),
        verb="train",
        name=fold.folder.relative_to(fold.folders.models).as_posix(),
        folder=fold.folder,
        config=record.recorded(fold.config),
        labels=tuple(sorted(filter(labels.get, labels), key=labels.__getitem__)),
        resumed=settings.resume,
    )
    facts = {
        **record.about(run, fold.config),
        "trackers": [asdict(tracker) for tracker in settings.tracking],
        "root": str(settings.paths.root.resolve()),
        "seed": settings.seed,
        "data_hash": job.data_hash,
        "trainer": made_by,
        "device": asdict(device),
        "threads": threads(),
        **provenance.facts(fold.catalog, devices()),
    }
    where = f"GPU {', '.join(map(str, device.gpus))}" if device.kind == "cuda" else device.kind
    say(f"training {fold.name} with {cls.__name__} on {where}")
    say(f"  {fold.folder}")
    with storage_errors(fold.folder), lifecycle.lived(run, facts, fold.catalog) as life:

        def on_epoch(report: EpochReport) -> None:
            _print_epoch(report)
            life.epoch(report)

        run_job = training.run
        if job.distributed:
            run_job = partial(distributed.launch, processes=_processes(settings, device))
        result = run_job(
            fold.folders,
            device,
            job,
            on_epoch=on_epoch,
            on_note=say,
            on_start=life.start,
            log=fold.folder / "nnplug.log",
        )
        life.result = RunResult(
            result.epochs_done, label_dice(result.summary_json, labels), result.mean_dice
        )
    return result


def _job(
    fold: Fold, cls: type, device: Device, task: TaskFolder, made_by: Mapping[str, str]
) -> TrainJob:
    from nnplug.engine.job import TrainJob
    from nnplug.engine.overrides import Overrides

    settings, trainer = fold.settings, fold.settings.trainer
    first = fold.first_stage
    preprocessor = plan.preprocessor(fold.folders, settings, fold.identifier)
    noted: dict[str, Any] = {
        **made_by,
        **origin.of_planning(settings, fold.catalog, preprocessor),
        "source_labels": task.source_labels(),
        "orientations": task.orientations(),
    }
    if first is not None:
        noted["first_stage"] = first.model.relative_to(fold.folders.models).as_posix()
    return TrainJob(
        task=settings.dataset.task,
        network=settings.network,
        fold=settings.fold,
        trainer=cls.__name__,
        plans_identifier=fold.identifier,
        settings={
            attribute: getattr(trainer, key) for key, attribute in experiment.ATTRIBUTES.items()
        },
        overrides=Overrides(**{key: getattr(trainer, key) for key in experiment.BEHAVIOUR}),
        options=trainer_options(trainer, fold.catalog),
        gpus=device.gpus,
        data_parallel=fold.spec.data_parallel,
        distributed=fold.spec.distributed,
        distribute_batch_size=bool(trainer.distribute_batch_size),
        resume=settings.resume,
        extend=settings.extend,
        checkpoint_minutes=settings.checkpoint_minutes,
        first_stage=None if first is None else first.model,
        data_hash=task.data_hash(),
        seed=settings.seed,
        pretrained=pretrained.of(fold),
        record=noted,
        patch_every=settings.overlays,
    )


def _processes(settings: ModelSettings, device: Device) -> int:
    """Of a distributed trainer: one a GPU, or as many as were asked for on the CPU."""
    wanted = settings.trainer.processes
    if device.kind == "cuda" and wanted not in (None, len(device.gpus)):
        raise ConfigError(
            f"one process a GPU, so {len(device.gpus)}, not {wanted}",
            where="trainer.processes",
            hint="leave it out, or change trainer.gpus",
        )
    return wanted or max(1, len(device.gpus))


def label_dice(summary: Path, labels: Mapping[str, int]) -> dict[str, float]:
    """The mean validation Dice of each foreground label, NaN where it has none."""
    mean = json.loads(summary.read_text(encoding="utf-8"))["results"]["mean"]
    return {
        name: float(mean.get(str(value), {}).get("Dice", math.nan))
        for name, value in sorted(labels.items(), key=lambda label: label[1])
        if value
    }


def _print_epoch(report: EpochReport) -> None:
    dice = " ".join(f"{value:.3f}" for value in report.dice)
    say(
        f"epoch {report.epoch}/{report.epochs}  train loss {report.train_loss:.4f}  "
        f"validation loss {report.val_loss:.4f}  Dice [{dice}]  lr {report.lr:.2g}  "
        f"{report.seconds:.1f} s"
    )
