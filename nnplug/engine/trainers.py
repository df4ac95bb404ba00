"""Make a trainer class findable by nnU-Net's own finder, under its own name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from nnplug import stock
from nnplug.errors import PluginError

_HOME = "nnunet.training.network_training"
_STOCK = (
    *("plans_file", "fold", "output_folder", "dataset_directory", "batch_dice"),
    *("stage", "unpack_data", "deterministic"),
)

_mounted: dict[str, tuple[type, str]] = {}


def mount(target: str, owner: str, *, data_parallel: bool = False) -> type:
    """Import ``module:Class`` and let nnU-Net (and workers forked later) find it by name.

    nnU-Net looks for a name in the modules of its trainer folder; the class becomes an
    attribute of one of them. Nothing is written and no function is replaced. Mounting the
    same class again changes nothing.

    Args:
        target: ``"package.module:Class"``, a subclass of ``nnUNetTrainerV2``.
        owner: the plugin, named in errors.
        data_parallel: the class must take ``num_gpus`` and ``distribute_batch_size``.

    Raises:
        PluginError: it can't be imported, is no trainer, has a name that is taken, or doesn't
            accept the arguments that nnU-Net passes.
    """
    cls = load(target, owner)
    name = cls.__name__
    where = f"{owner}: {target}"
    if "__" in name:
        raise PluginError(
            f"the trainer's name {name!r} contains '__', where nnU-Net splits folder names",
            where=where,
            hint="rename the class",
        )
    check_constructor(cls, where, data_parallel)
    earlier = _mounted.get(name)
    if earlier is not None and earlier[0] is not cls:
        raise PluginError(
            f"the name {name} is taken by {earlier[1]} ({_origin(earlier[0])})",
            where=where,
            hint="rename the class or block one of the plugins",
        )
    taken = find(name)
    if taken is None:
        setattr(importlib.import_module(f"{_HOME}.network_trainer"), name, cls)
    elif taken is not cls:
        raise PluginError(
            f"the name {name} is nnU-Net's own ({_origin(taken)})",
            where=where,
            hint="rename the class",
        )
    _mounted[name] = (cls, owner)
    return cls


def mode(cls: type) -> str:
    """``single``, ``dp``, ``ddp`` or ``cascade``, by what the class descends from."""
    return next((stock.mode(base.__name__) for base in cls.__mro__ if _is_stock(base)), "single")


def _is_stock(cls: type) -> bool:
    return cls.__module__.startswith(_HOME)


def check_origin(record: Mapping[str, Any], where: str) -> None:
    """Look whether the package that a checkpoint's trainer came from is there and new enough.

    Args:
        record: nnplug's record in the checkpoint; nothing is known without one.
        where: the checkpoint, for the error.

    Raises:
        PluginError: it is missing, or older than the one that the model was trained with.
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


def find(name: str) -> Any:
    """What nnU-Net finds under ``name`` among its trainers, or None."""
    import nnunet
    from nnunet.training.model_restore import recursive_find_python_class

    folder = Path(nnunet.__path__[0], "training", "network_training")
    return recursive_find_python_class([str(folder)], name, current_module=_HOME)


def load(target: str, owner: str) -> type:
    """Import a trainer's class; raises PluginError as :func:`mount`."""
    from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2

    where = f"{owner}: {target}"
    module_name, _, class_name = target.partition(":")
    if not module_name or not class_name.isidentifier():
        raise PluginError("not of the form package.module:Class", where=where)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise PluginError(
            f"the trainer can't be imported: {type(error).__name__}: {error}",
            where=where,
            hint=f"repair or reinstall {owner}, or choose another trainer",
        ) from error
    cls = getattr(module, class_name, None)
    if not isinstance(cls, type) or not issubclass(cls, nnUNetTrainerV2):
        what = "there is no such class" if cls is None else "it is no subclass of nnUNetTrainerV2"
        raise PluginError(f"not a trainer: {what}", where=where)
    if cls.__name__ != class_name:
        raise PluginError(f"the class calls itself {cls.__name__}", where=where)
    return cls


def check_constructor(cls: type, where: str, data_parallel: bool) -> None:
    """nnU-Net passes keywords when it trains and replays positions when it restores.

    Raises:
        PluginError: the class takes other arguments.
    """
    extra = ("num_gpus", "distribute_batch_size") if data_parallel else ()
    names = (*_STOCK, *extra, "fp16")
    signature = inspect.signature(cls)
    try:
        signature.bind(*names)
        signature.bind(*names[:2], **{name: name for name in names[2:]})
    except TypeError as error:
        raise PluginError(
            f"its constructor doesn't take nnU-Net's arguments: {error}",
            where=where,
            hint=f"def __init__(self, {', '.join(names)})",
        ) from error


def _origin(cls: Any) -> str:
    return f"{getattr(cls, '__module__', '?')}.{getattr(cls, '__qualname__', '?')}"
