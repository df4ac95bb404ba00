"""What a training is asked for, and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnplug.engine import plans
from nnplug.engine.overrides import Overrides


@dataclass(frozen=True)
class TrainJob:
    """What to train.

    Attributes:
        task: e.g. ``"Task128_LungLobe"``.
        network: ``"2d"``, ``"3d_lowres"``, ``"3d_fullres"`` or ``"3d_cascade_fullres"``.
        fold: 0 to 4 (or what the task's split file has), or ``"all"``.
        trainer: the name of a class that nnU-Net finds (see ``mounting.mount``).
        plans_identifier: nnU-Net's own plans or derived ones.
        settings: attributes of the trainer (``max_num_epochs``, ``num_batches_per_epoch``,
            ``num_val_batches_per_epoch``, ``initial_lr``); None leaves the trainer's value.
        overrides: what else to change about the trainer.
        options: set as ``trainer.options`` before ``initialize()``.
        gpus: the GPUs of a data-parallel training, for their number.
        data_parallel: the trainer takes ``num_gpus`` and ``distribute_batch_size``.
        distributed: it takes ``local_rank`` and ``distribute_batch_size``; see ``distributed``.
        distribute_batch_size: share the plans' batch among the GPUs; else each GPU gets one.
        resume: go on from the newest checkpoint; without one, start.
        extend: epochs to add to ``max_num_epochs`` after its end, with their own learning-rate
            schedule; None goes on as the checkpoint was.
        overwrite: without ``resume``, replace an earlier training of this fold.
        pretrained: the ``.model`` file to start from; not looked at when a training goes on.
        seed: repeatable batches and initial weights (slower on a GPU); None as stock.
        first_stage: of the cascade's second one: the folder of the model whose predictions it
            takes; None leaves that to nnU-Net, which knows models of the same plans only.
        data_hash: of the converted data; a training of other data isn't gone on with.
        record: plain data to store beside the weights (plugin, version, ...).
        checkpoint_minutes: save ``model_latest`` at the end of an epoch when the last one is
            older, besides nnU-Net's every 50 epochs.
        patch_every: report the network's output on one validation patch every so many epochs.
    """

    task: str
    network: str
    fold: int | str
    trainer: str
    plans_identifier: str = plans.STOCK
    settings: Mapping[str, Any] = field(default_factory=dict)
    overrides: Overrides = field(default_factory=Overrides)
    options: object | None = None
    gpus: tuple[int, ...] = ()
    data_parallel: bool = False
    distributed: bool = False
    distribute_batch_size: bool = False
    resume: bool = False
    extend: int | None = None
    overwrite: bool = False
    pretrained: Path | None = None
    seed: int | None = None
    first_stage: Path | None = None
    data_hash: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    checkpoint_minutes: float = 15
    patch_every: int | None = None


@dataclass(frozen=True)
class TrainResult:
    """What a finished training left.

    Attributes:
        model_folder: holds the folds, the plans and (later) the post-processing.
        fold_folder: holds the checkpoints and the validation of this fold.
        epochs_done: epochs in the final checkpoint.
        summary_json: nnU-Net's scores of the validation cases.
        mean_dice: mean over the foreground labels in it; None if no label occurs.
    """

    model_folder: Path
    fold_folder: Path
    epochs_done: int
    summary_json: Path
    mean_dice: float | None
