"""Validate a trained fold again, to have the probabilities that ensembles are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nnplug.engine.checkpoints import FINAL, read_record
from nnplug.engine.construction import build, stop_workers
from nnplug.engine.environment import Device
from nnplug.engine.job import TrainJob
from nnplug.engine.models import set_mirroring
from nnplug.engine.output import quiet
from nnplug.engine.safe import load_checkpoint
from nnplug.engine.selection import VALIDATION
from nnplug.errors import NnplugError, TrainingError

LOG = "nnplug.log"


def write_softmax(job: TrainJob, device: Device, fold_folder: Path) -> None:
    """Write ``NAME.npz`` and ``NAME.pkl`` of a fold's validation, as ``nnUNet_train -val --npz``.

    Args:
        job: the fold; of its overrides only the trainer's own options matter, and how it was
            mirrored is in the checkpoint's record.
        device: what ``environment.enter`` returned.
        fold_folder: has the final checkpoint and the validation. Probabilities that are newer
            than the checkpoint are kept.

    Raises:
        PluginError: the trainer is unknown.
        TrainingError: the checkpoint is damaged, or the validation failed.
    """
    checkpoint = fold_folder / f"{FINAL}.model"
    content = load_checkpoint(checkpoint)
    for path in (fold_folder / VALIDATION).glob("*.npz"):
        if path.stat().st_mtime_ns < checkpoint.stat().st_mtime_ns:
            path.unlink()
    with quiet(fold_folder / LOG):
        trainer = build(job, device, training=False)
        set_mirroring(trainer, read_record(checkpoint))
        _validate(trainer, content, fold_folder)


def _validate(trainer: Any, content: dict[str, Any], fold_folder: Path) -> None:
    try:
        trainer.load_checkpoint_ram(content, False)
        trainer.network.eval()
        trainer.validate(
            do_mirroring=bool(trainer.data_aug_params.get("do_mirror")),
            save_softmax=True,
            validation_folder_name=VALIDATION,
            run_postprocessing_on_folds=True,
            overwrite=False,
        )
    except NnplugError:
        raise
    except Exception as error:
        raise TrainingError(
            f"validation failed: {type(error).__name__}: {error}",
            where=str(fold_folder),
            hint=f"see {fold_folder / LOG}",
        ) from error
    finally:
        stop_workers(trainer)
