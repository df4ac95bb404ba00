"""What a trainer's class says, and whether the package that it came from is there."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from packaging.version import InvalidVersion, Version

from nnplug import stock
from nnplug.engine.mounting import TRAINER
from nnplug.errors import PluginError


def mode(cls: type) -> str:
    """``single``, ``dp``, ``ddp`` or ``cascade``, by what the class descends from."""
    return next((stock.mode(base.__name__) for base in cls.__mro__ if _is_stock(base)), "single")


def alone(cls: type) -> type:
    """The class that restores a model in one process: for distributed ones nnU-Net's default."""
    from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2

    return nnUNetTrainerV2 if mode(cls) == "ddp" else cls


def _is_stock(cls: type) -> bool:
    return cls.__module__.startswith(TRAINER.package)


def check_origin(record: Mapping[str, Any], where: str) -> None:
    """Look whether the package that a class of a model came from is there and new enough.

    Args:
        record: nnplug's record of it: ``owner`` and ``version``; nothing is known without.
        where: the checkpoint, for the error.

    Raises:
        PluginError: it is missing, or older than the one that the model was made with.
    """
    owner, then = record.get("owner"), record.get("version")
    if not owner or not then:
        return
    try:
        now = version(str(owner))
    except PackageNotFoundError:
        now = ""
    try:
        fits = bool(now) and Version(now) >= Version(str(then))
    except InvalidVersion:
        fits = bool(now)
    if not fits:
        raise PluginError(
            f"it was trained with {owner} {then}, here is {now or 'none'}",
            where=where,
            hint=f"pip install '{owner}>={then}'",
        )
