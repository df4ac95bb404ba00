"""Train one fold as ``nnUNet_train`` does, but so that it can be stopped and resumed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnplug.config.folders import Folders
from nnplug.engine import (
    checkpoints,
    environment,
    groups,
    moving,
    next_stage,
    orphans,
    plans,
    trainers,
    vetting,
)
from nnplug.engine.construction import build, output_folders, stop_workers
from nnplug.engine.environment import Device
from nnplug.engine.epochs import Follower, follow
from nnplug.engine.finetuning import take
from nnplug.engine.identity import check_plans, check_same, identity
from nnplug.engine.interrupts import Stop, Watch
from nnplug.engine.job import TrainJob, TrainResult
from nnplug.engine.validation import mean_dice, validate
from nnplug.errors import DataError, NnplugError, TrainingError
from nnplug.runs import EpochReport

__all__ = ["EpochReport", "TrainJob", "TrainResult", "run"]

_LOG = logging.getLogger(__name__)


def _unheard(note: object) -> None:
    _LOG.info(note)


def run(
    folders: Folders,
    device: Device,
    job: TrainJob,
    *,
    on_epoch: Callable[[EpochReport], None],
    on_note: Callable[[str], None] = _unheard,
    on_start: Callable[[Mapping[str, Any]], None] = _unheard,
    log: Path,
) -> TrainResult:
    """Train and validate one fold in this process.

    Args:
        folders: nnU-Net's three folders, the ones given to ``environment.enter``.
        device: what ``environment.enter`` returned.
        job: what to train.
        on_epoch: called after every epoch, with stdout and stderr as they were.
        on_note: called with what should be said, e.g. from which checkpoint it goes on, or that
            loading limits the training.
        on_start: called when nothing stands in the way of the training any more, with hashes
            of its plans and split.
        log: file for what nnU-Net prints.

    Raises:
        DataError: the task isn't planned, has too few cases, or was trained already.
        PluginError: the trainer is unknown or breaks nnU-Net's contract.
        TrainingError: training or validation failed.
        Interrupted: SIGINT or SIGTERM; ``resume`` goes on.
    """
    environment.ensure(folders)
    vetting.check_task(folders, job.task, job.network, job.fold, job.plans_identifier)
    model_folder, fold_folder = output_folders(folders, job)
    found = _starting_point(fold_folder, job, on_note)
    job = _as_trained(job, found)

    def report(epoch: EpochReport) -> None:
        with environment.loud():
            on_epoch(epoch)

    def say(note: str) -> None:
        with environment.loud():
            on_note(note)

    log_start = log.stat().st_size if log.is_file() else 0
    stop = Watch()
    with environment.quiet(log), stop, orphans.none():
        try:
            epochs = _train(folders, job, device, found, fold_folder, stop, report, say, on_start)
        except Stop:
            raise stop.explain("training", "run the same command with resume=true") from None
        except (NnplugError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise _explain(error, fold_folder, log, log_start) from error
    summary = fold_folder / "validation_raw" / "summary.json"
    return TrainResult(model_folder, fold_folder, epochs, summary, mean_dice(summary))


def _starting_point(
    folder: Path, job: TrainJob, on_note: Callable[[str], None]
) -> checkpoints.Found | None:
    there = checkpoints.existing(folder)
    if not job.resume:
        if there and not job.overwrite:
            raise DataError(
                f"this fold was trained before ({there[0].name})",
                where=str(folder),
                hint="resume=true goes on; overwrite replaces it; or give derived plans a name",
            )
        return None
    found = checkpoints.newest(folder)
    if found is None:
        on_note("nothing to resume from, starting a new training")
        return None
    trainers.check_origin(found.record, str(found.path))
    if job.data_hash is not None:
        check_same(found, {"data": job.data_hash})
    for note in found.notes:
        on_note(note)
    on_note(f"resuming from {found.path.name} after {int(found.content['epoch'])} epochs")
    return found


def _as_trained(job: TrainJob, found: checkpoints.Found | None) -> TrainJob:
    """The job with the planned epochs of the checkpoint, if none are asked for.

    A finished training of stock nnU-Net, which doesn't say how many were planned, has all.
    """
    if found is None or job.settings.get("max_num_epochs") is not None:
        return job
    planned = (found.record.get("settings") or {}).get("max_num_epochs")
    if not found.record and found.final:
        planned = int(found.content["epoch"])
    return replace(job, settings={**job.settings, "max_num_epochs": planned})


def _train(
    folders: Folders,
    job: TrainJob,
    device: Device,
    found: checkpoints.Found | None,
    fold_folder: Path,
    stop: Watch,
    report: Callable[[EpochReport], None],
    say: Callable[[str], None],
    on_start: Callable[[Mapping[str, Any]], None],
) -> int:
    summary = fold_folder / "validation_raw" / "summary.json"
    extend = _extension(found, job)
    complete = found is not None and _is_complete(found, job, extend)
    validated = complete and summary.is_file()
    owed = validated and next_stage.missing(fold_folder, _next_cases(folders, job))
    if owed:
        say(f"the training was complete, only predicting {len(owed)} for the next stage")
    elif validated:
        say("the training was complete and validated already")
    elif complete:
        say("the training was complete already, only validating")
    if validated and not owed and found is not None:
        return int(found.content["epoch"])
    trainer = build(job, device, training=not complete, extend=extend, note=say)
    try:
        made_of = identity(trainer, job, extend)
        state = start = None
        if found is not None:
            check_same(found, made_of)
            check_plans(found, trainer)
            trainer.load_checkpoint_ram(found.content, not complete)
            state = found.record.get("state")
            start = found.record.get("pretrained")
        elif job.overwrite:
            checkpoints.remove(fold_folder)
        if found is None and job.pretrained is not None:
            start = take(trainer, job.pretrained)
            say(start.summary())
            print(start)  # noqa: T201 - the whole list goes to the log
        on_start({key: made_of[key] for key in ("plans", "split") if key in made_of})
        if not complete:
            summary.unlink(missing_ok=True)
            follower = follow(
                *(trainer, job, stop, report, say),
                made_of=made_of,
                extended=extend,
                state=state,
                pretrained=start,
            )
            _run_epochs(trainer, device, stop, follower)
        done = len(trainer.all_tr_losses)
        stop_workers(trainer)
        stop.check()
        stop.at_once = True
        if not validated:
            validate(trainer)
        cases = _next_cases(folders, job)
        if cases and groups.current.first:
            next_stage.predict(trainer, cases)
        groups.current.wait()
        return done
    finally:
        stop_workers(trainer, killed=stop.failure is not None)


def _next_cases(folders: Folders, job: TrainJob) -> list[str]:
    """What the first stage of the cascade predicts for the second, in this fold."""
    if job.network != "3d_lowres":
        return []
    stage = plans.stage_folder(folders, job.task, job.network, job.plans_identifier)
    every = [path.stem for path in stage.glob("*.npz")]
    return next_stage.own_cases(stage.parent / "splits_final.pkl", every, job.fold)


def _run_epochs(trainer: Any, device: Device, stop: Watch, follower: Follower) -> None:
    if device.kind == "mps":
        moving.move(trainer, "mps")
    stop.guarding = False
    try:
        trainer.run_training()
        if device.kind == "mps":
            trainer.network.to("cpu")  # nnU-Net predicts on CUDA or the CPU only
    except BaseException as error:
        # A worker that died, perhaps of the same signal, ends the loop before the watch sees it.
        stop.find_lost()
        died = "background workers" in str(error) and (stop.requested or stop.failure)
        if not died and not isinstance(error, Stop):
            raise
        follower.save_interrupted()
        groups.current.agree(True)
        raise Stop from error
    finally:
        stop.guarding = True


def _extension(found: checkpoints.Found | None, job: TrainJob) -> int:
    """Epochs beyond those planned: what is asked for, or what the checkpoint has."""
    before = int(found.record.get("extend") or 0) if found is not None else 0
    if job.extend is None:
        return before
    if found is None:
        raise DataError("there is no training to extend", hint="leave resume.extend out")
    if job.extend < before:
        raise DataError(
            f"this training was extended by {before} epochs, now by {job.extend}",
            where=str(found.path),
            hint="the extension can grow, not shrink",
        )
    return job.extend


def _is_complete(found: checkpoints.Found, job: TrainJob, extend: int) -> bool:
    if not found.final:
        return False
    asked = job.settings.get("max_num_epochs")
    planned = (found.record.get("settings") or {}).get("max_num_epochs")
    # A trainer may end early; then the final checkpoint has fewer epochs than were planned.
    if asked in (None, planned):
        return extend == int(found.record.get("extend") or 0)
    # A checkpoint of stock nnU-Net does not say how many were planned.
    return planned is None and int(found.content["epoch"]) >= asked + extend


def _explain(error: Exception, folder: Path, log: Path, log_start: int) -> NnplugError:
    text = str(error)
    hint = f"see {log}"
    if "background workers" in text:
        with log.open(encoding="utf-8", errors="replace") as stream:
            stream.seek(log_start)
            printed = stream.read().partition("Exception in background worker")[2]
        first = [line.strip() for line in printed.splitlines()[1:2]]
        if first:
            text = f"an augmentation worker failed: {first[0]}"
        else:
            text = "an augmentation worker died"
            hint = f"often too little memory: try fewer workers=; {hint}"
    elif "out of memory" in text.lower():
        text = text.splitlines()[0]
        hint = f"use derived plans with a smaller batch or patch; {hint}"
    return TrainingError(
        f"training failed: {type(error).__name__}: {text}", where=str(folder), hint=hint
    )
