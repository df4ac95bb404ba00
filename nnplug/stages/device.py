"""From the device keys to an entered engine; the first step of every verb that needs nnU-Net."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.settings import ModelSettings
from nnplug.console import say, warn
from nnplug.errors import ConfigError
from nnplug.whole import storage_errors

if TYPE_CHECKING:
    from nnplug.engine.environment import Device


def enter(settings: ModelSettings, catalog: Catalog, folders: Folders) -> Device:
    """Set nnU-Net up for this process on the asked-for device.

    Raises:
        ConfigError: several GPUs for a trainer that takes one.
        DeviceError: the device, or one of the GPUs, is not there.
        StorageError: nnU-Net's folders can't be made.
    """
    from nnplug.engine import environment, mounting

    spec = catalog.trainers.get(settings.trainer.name).spec
    gpus = settings.trainer.gpus
    if gpus and len(gpus) > 1 and not (spec.data_parallel or spec.distributed):
        raise ConfigError(
            f"{settings.trainer.name} trains on one GPU, not on {len(gpus)}",
            where="trainer.gpus",
            hint="trainer=v2_dp takes all of them for one training; with -m and fold=0,1,2 "
            "each fold gets one",
        )
    if settings.device == "cpu" and gpus:
        warn(f"device=cpu: trainer.gpus={gpus} is not used")
        gpus = None
    with storage_errors(folders.raw_base.parent):
        found = environment.enter(
            folders,
            device=settings.device,
            gpus=gpus,
            workers=settings.workers,
            stall_minutes=settings.stall_minutes,
            threads=settings.threads,
            precision=settings.precision,
            all_gpus=spec.data_parallel or spec.distributed,
        )
    mounting.offer(catalog)
    if spec.data_parallel and found.kind != "cuda":
        say(f"DataParallel runs as one replica on the {found.kind}")
    return found
