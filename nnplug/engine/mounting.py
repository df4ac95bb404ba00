"""Make a plugin's class findable by nnU-Net's own finder, under its own name.

nnU-Net looks for trainers, planners and preprocessors by name in the modules of one folder
each. A mounted class becomes an attribute of one of those modules. Nothing is written and no
function is replaced. Worker processes that are forked later inherit that; others call
:func:`replay`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog
from nnplug.errors import PluginError
from nnplug.types import TrainerSpec


@dataclass(frozen=True)
class Kind:
    """What nnU-Net finds in one of its folders.

    Attributes:
        word: for errors.
        package: the package that nnU-Net searches.
        home: the module in it that gets the attribute.
        base: ``"module:Class"`` that every class descends from.
        arguments: of the constructor, in order, without ``self``.
        positional: how many of them nnU-Net always passes by position.
    """

    word: str
    package: str
    home: str
    base: str
    arguments: tuple[str, ...]
    positional: int


_TRAINING = "nnunet.training.network_training"
_PLANNING = "nnunet.experiment_planning"
_PREPROCESSING = "nnunet.preprocessing"
_TRAINED = (
    *("plans_file", "fold", "output_folder", "dataset_directory", "batch_dice"),
    *("stage", "unpack_data", "deterministic"),
)
_PLANNED = ("folder_with_cropped_data", "preprocessed_output_folder")
_PREPROCESSED = (
    *("normalization_scheme_per_modality", "use_nonzero_mask", "transpose_forward"),
    "intensityproperties",
)

_HOME = f"{_TRAINING}.network_trainer"
_V2 = f"{_TRAINING}.nnUNetTrainerV2:nnUNetTrainerV2"
TRAINER = Kind("trainer", _TRAINING, _HOME, _V2, (*_TRAINED, "fp16"), 2)
DP_TRAINER = Kind(
    "trainer", _TRAINING, _HOME, _V2, (*_TRAINED, "num_gpus", "distribute_batch_size", "fp16"), 2
)
DDP_TRAINER = Kind(
    "trainer",
    _TRAINING,
    _HOME,
    _V2,
    (*_TRAINED[:2], "local_rank", *_TRAINED[2:], "distribute_batch_size", "fp16"),
    2,
)
PLANNER = Kind(
    "planner",
    _PLANNING,
    f"{_PLANNING}.common_utils",
    f"{_PLANNING}.experiment_planner_baseline_3DUNet:ExperimentPlanner",
    _PLANNED,
    2,
)
PREPROCESSOR = Kind(
    "preprocessor",
    _PREPROCESSING,
    f"{_PREPROCESSING}.preprocessing",
    f"{_PREPROCESSING}.preprocessing:GenericPreprocessor",
    _PREPROCESSED,
    4,
)

Offer = tuple[Kind, str, str]

_offered: dict[tuple[str, str], list[Offer]] = {}
_mounted: dict[tuple[str, str], tuple[type, Offer]] = {}


def trainer_kind(spec: TrainerSpec) -> Kind:
    """What this trainer's constructor has to take."""
    if spec.distributed:
        return DDP_TRAINER
    return DP_TRAINER if spec.data_parallel else TRAINER


def offer(catalog: Catalog) -> None:
    """Let :func:`find` mount what the plugins offer, once it is asked for by its class's name."""
    _offered.clear()
    offers: list[Offer] = []
    for trainer in catalog.trainers:
        offers.append((trainer_kind(trainer.spec), trainer.spec.target, str(trainer.owner)))
        if trainer.spec.cascade:
            offers.append((TRAINER, trainer.spec.cascade, str(trainer.owner)))
    for preprocessor in catalog.preprocessors:
        offers.append((PREPROCESSOR, preprocessor.spec.target, str(preprocessor.owner)))
    for kind, target, owner in offers:
        key = kind.package, target.partition(":")[2]
        _offered.setdefault(key, []).append((kind, target, owner))


def find(kind: Kind, name: str) -> Any:
    """What nnU-Net finds under ``name``, with what was offered under that name; or None.

    Raises:
        PluginError: as :func:`mount`.
    """
    for offered in _offered.get((kind.package, name), ()):
        mount(*offered)
    return _search(kind, name)


def mount(kind: Kind, target: str, owner: str) -> type:
    """Import ``module:Class`` and let nnU-Net find it by its name.

    Mounting the same class again changes nothing.

    Args:
        kind: what it has to be.
        target: ``"package.module:Class"``.
        owner: the plugin, named in errors.

    Raises:
        PluginError: it can't be imported, is of another kind or abstract, has a name that is
            taken, or doesn't accept the arguments that nnU-Net passes.
    """
    cls = load(kind, target, owner)
    name = cls.__name__
    where = f"{owner}: {target}"
    if "__" in name:
        raise PluginError(
            f"the {kind.word}'s name {name!r} contains '__', where nnU-Net splits names",
            where=where,
            hint="rename the class",
        )
    check_constructor(kind, cls, where)
    earlier = _mounted.get((kind.package, name))
    if earlier is not None and earlier[0] is not cls:
        raise PluginError(
            f"the name {name} is taken by {earlier[1][2]} ({_origin(earlier[0])})",
            where=where,
            hint="rename the class or block one of the plugins",
        )
    taken = _search(kind, name)
    if taken is None:
        setattr(importlib.import_module(kind.home), name, cls)
    elif taken is not cls:
        raise PluginError(
            f"the name {name} is nnU-Net's own ({_origin(taken)})",
            where=where,
            hint="rename the class",
        )
    _mounted[kind.package, name] = (cls, (kind, target, owner))
    return cls


def mounted() -> list[Offer]:
    """What was mounted in this process, for :func:`replay`; small and picklable."""
    return [offered for _, offered in _mounted.values()]


def replay(offers: Sequence[Offer]) -> None:
    """Mount the same in a worker process that was not forked: the initializer of a pool."""
    for offered in offers:
        mount(*offered)


def load(kind: Kind, target: str, owner: str) -> type:
    """Import a class and look whether it is of that kind; raises PluginError as :func:`mount`."""
    where = f"{owner}: {target}"
    module_name, _, class_name = target.partition(":")
    if not module_name or not class_name.isidentifier():
        raise PluginError("not of the form package.module:Class", where=where)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise PluginError(
            f"the {kind.word} can't be imported: {type(error).__name__}: {error}",
            where=where,
            hint=f"repair or reinstall {owner}, or choose another {kind.word}",
        ) from error
    cls = getattr(module, class_name, None)
    base = _base(kind)
    if not isinstance(cls, type) or not issubclass(cls, base):
        missing = "there is no such class"
        what = missing if cls is None else f"it is no subclass of {base.__name__}"
        raise PluginError(f"not a {kind.word}: {what}", where=where)
    if cls.__name__ != class_name:
        raise PluginError(f"the class calls itself {cls.__name__}", where=where)
    if inspect.isabstract(cls):
        unwritten = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise PluginError(f"the class is abstract: {unwritten} must be written", where=where)
    return cls


def check_constructor(kind: Kind, cls: type, where: str) -> None:
    """nnU-Net passes keywords when it trains and replays positions when it restores.

    Raises:
        PluginError: the class takes other arguments.
    """
    names, first = kind.arguments, kind.positional
    signature = inspect.signature(cls)
    try:
        signature.bind(*names)
        signature.bind(*names[:first], **{name: name for name in names[first:]})
    except TypeError as error:
        raise PluginError(
            f"its constructor doesn't take nnU-Net's arguments: {error}",
            where=where,
            hint=f"def __init__(self, {', '.join(names)})",
        ) from error


def _search(kind: Kind, name: str) -> Any:
    import nnunet
    from nnunet.training.model_restore import recursive_find_python_class

    folder = Path(nnunet.__path__[0], *kind.package.split(".")[1:])
    return recursive_find_python_class([str(folder)], name, current_module=kind.package)


def _base(kind: Kind) -> type:
    module, _, name = kind.base.partition(":")
    base: type = getattr(importlib.import_module(module), name)
    return base


def _origin(cls: Any) -> str:
    return f"{getattr(cls, '__module__', '?')}.{getattr(cls, '__qualname__', '?')}"
