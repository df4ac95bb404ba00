"""Build nnU-Net's trainer for a job, with the arguments that ``nnUNet_train`` passes."""

from __future__ import annotations

import copy
import inspect
import logging
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.config import resources
from nnplug.config.folders import Folders
from nnplug.engine import environment, groups, loading, mounting, next_stage, precision, trainers
from nnplug.engine.environment import Device
from nnplug.engine.overrides import set_schedule
from nnplug.errors import ConfigError, DataError, PluginError

if TYPE_CHECKING:
    from nnplug.engine.job import TrainJob

_LOG = logging.getLogger(__name__)


def output_folders(folders: Folders, job: TrainJob) -> tuple[Path, Path]:
    """The model's folder and the fold's, as nnU-Net names them."""
    model = folders.model(job.network, job.task, job.trainer, job.plans_identifier)
    return model, model / ("all" if job.fold == "all" else f"fold_{job.fold}")


def build(
    job: TrainJob,
    device: Device,
    *,
    training: bool,
    extend: int = 0,
    note: Callable[[str], None] = _LOG.info,
) -> Any:
    """The initialised trainer; ``training=False`` leaves out the data loaders.

    Args:
        job: what to train.
        device: what ``environment.enter`` returned.
        training: load the data.
        extend: epochs beyond those planned.
        note: called with what should be said.

    Raises:
        PluginError: unknown trainer, or one that can't be restored from its checkpoints.
        ConfigError: a setting that the trainer doesn't have, or an override that it ignores.
    """
    import torch
    from nnunet.run.default_configuration import get_default_configuration

    mounting.find(mounting.TRAINER, job.trainer)
    plans_file, output, dataset, batch_dice, stage, cls = get_default_configuration(
        job.network, job.task, job.trainer, job.plans_identifier
    )
    if cls is None:
        raise PluginError(f"nnU-Net finds no trainer {job.trainer}", hint="see nnplug plugins")
    check_network(cls, job.network)
    parallel: dict[str, Any] = {}
    if job.distributed:
        parallel["local_rank"] = groups.current.rank
        parallel["distribute_batch_size"] = job.distribute_batch_size
    else:
        cls = trainers.alone(cls)
    if job.data_parallel:
        parallel["num_gpus"] = max(1, len(job.gpus))
        parallel["distribute_batch_size"] = job.distribute_batch_size
    first = {}
    if job.first_stage is not None and "previous_trainer" in inspect.signature(cls).parameters:
        first["previous_trainer"] = job.first_stage.name.partition("__")[0]
    trainer = cls(
        plans_file,
        job.fold,
        output_folder=output,
        dataset_directory=dataset,
        batch_dice=batch_dice,
        stage=stage,
        unpack_data=True,
        deterministic=job.seed is not None,
        fp16=device.mixed_precision and device.kind == "cuda",
        **parallel,
        **first,
    )
    if job.first_stage is not None:
        trainer.folder_with_segs_from_prev_stage = str(job.first_stage / next_stage.FOLDER)
    _check_restorable(cls, trainer, job)
    for name, value in job.settings.items():
        if not hasattr(trainer, name):
            raise ConfigError(f"the trainer {job.trainer} has no setting {name!r}")
        if value is not None:
            setattr(trainer, name, value)
    if job.options is not None:
        trainer.options = job.options
    if job.seed is not None:
        random.seed(job.seed + groups.current.rank)
        np.random.seed(job.seed + groups.current.rank)
        torch.manual_seed(job.seed)
    _own_augmentation(trainer, note)
    job.overrides.before(trainer)
    trainer.initialize(training)
    try:
        job.overrides.after(trainer)
        set_schedule(trainer, job.overrides.schedule, extend)
        if device.mixed_precision and device.kind == "cpu":
            precision.use_bfloat16(trainer)
    except ConfigError:
        stop_workers(trainer)
        raise
    trainer.data_aug_params = copy.deepcopy(trainer.data_aug_params)
    return trainer


def stop_workers(trainer: Any, *, killed: bool = False) -> None:
    """End the augmentation workers, so that they don't complain over the first error.

    If they were ``killed``, an orderly end would wait for the rest of a batch that never comes,
    or for a lock that one of them held.
    """
    for name in ("tr_gen", "val_gen"):
        generator: Any = getattr(trainer, name, None)
        generator = getattr(generator, "batches", generator)
        if not hasattr(generator, "_finish"):
            continue
        if killed:
            generator._finish = lambda *_, **__: None
            threading.Thread(target=generator.abort_event.set, daemon=True).start()
            for thread in ("pin_memory_thread", "results_loop_thread"):
                if getattr(generator, thread, None) is not None:
                    getattr(generator, thread).join(1)
        else:
            generator._finish()


def _own_augmentation(trainer: Any, note: Callable[[str], None]) -> None:
    """Undo what an earlier trainer of this process changed in nnU-Net's shared defaults.

    Also limits the worker count, of trainers that set their own (data-parallel ones) too.
    """
    pristine_augmentation()
    original = trainer.setup_DA_params
    wanted = environment.worker_count()

    def setup_da_params(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        params = trainer.data_aug_params
        if "num_threads" in params:
            asked = min(params["num_threads"], wanted)
            params["num_threads"] = loading.workers(
                trainer, asked, resources.memory(), resources.shared_memory()
            )
            if params["num_threads"] < asked:
                note(
                    f"memory suffices for {params['num_threads']} augmentation workers, not "
                    f"{asked} (/dev/shm counts too)"
                )

    trainer.setup_DA_params = setup_da_params


_pristine: list[dict[str, Any]] = []


def pristine_augmentation() -> None:
    """Give nnU-Net's module-wide augmentation defaults the values they had at first."""
    from nnunet.training.data_augmentation import default_data_augmentation as defaults

    shared = (defaults.default_3D_augmentation_params, defaults.default_2D_augmentation_params)
    if not _pristine:
        _pristine.extend(copy.deepcopy(params) for params in shared)
    for params, values in zip(shared, _pristine, strict=True):
        params.clear()
        params.update(copy.deepcopy(values))


def check_network(cls: type, network: str) -> None:
    """Only trainers of the cascade's second stage can train that, and they nothing else.

    Raises:
        DataError: trainer and network don't go together.
    """
    from nnunet.training.network_training.nnUNetTrainerV2_CascadeFullRes import (
        nnUNetTrainerV2CascadeFullRes,
    )

    if (network == "3d_cascade_fullres") != issubclass(cls, nnUNetTrainerV2CascadeFullRes):
        raise DataError(
            f"trainer {cls.__name__} can't train network {network}",
            hint="3d_cascade_fullres, and only it, takes trainers like "
            "nnUNetTrainerV2CascadeFullRes",
        )


def _check_restorable(cls: type, trainer: Any, job: TrainJob) -> None:
    try:
        inspect.signature(cls).bind(*trainer.init_args)
    except TypeError as error:
        raise PluginError(
            f"trainer {job.trainer} can't be restored from its checkpoints: its init_args "
            f"don't fit its constructor ({error})",
            hint="set self.init_args to the constructor's arguments, in order",
        ) from error
