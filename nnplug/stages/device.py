"""From the device keys to an entered engine; the first step of every verb that needs nnU-Net."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.settings import ModelSettings
from nnplug.console import say, warn
from nnplug.data.files import storage_errors

if TYPE_CHECKING:
    from nnplug.engine.environment import Device


def enter(settings: ModelSettings, catalog: Catalog, folders: Folders) -> Device:
    """Set nnU-Net up for this process on the asked-for device.

    Raises:
        DeviceError: the device, or one of the GPUs, is not there.
        StorageError: nnU-Net's folders can't be made.
    """
    from nnplug.engine import environment

    spec = catalog.trainers.get(settings.trainer.name).spec
    gpus = settings.trainer.gpus
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
            precision=settings.precision,
            all_gpus=spec.data_parallel,
        )
    if spec.data_parallel and found.kind != "cuda":
        say(f"DataParallel runs as one replica on the {found.kind}")
    return found
