"""nnU-Net's own classes by name: found in its source files, without importing them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from nnplug.types import PlannerSpec, PreprocessorSpec, TrainerSpec

OWNER = "nnunet"
Mode = Literal["single", "dp", "ddp", "cascade"]

_TRAINING = "training/network_training"
_PLANNING = "experiment_planning"
_PREPROCESSING = "preprocessing"
_BASE = "nnUNetTrainerV2"
_MODES: dict[str, Mode] = {
    "nnUNetTrainerV2_DP": "dp",
    "nnUNetTrainerV2_DDP": "ddp",
    "nnUNetTrainerV2CascadeFullRes": "cascade",
}
_CLASS = re.compile(r"^class +(\w+)\((\w+)", re.MULTILINE)


def trainer(name: str) -> TrainerSpec | None:
    """The trainer of nnU-Net v1 with that class name, or None."""
    return next((spec for spec in trainers() if spec.name == name), None)


def trainers() -> Iterator[TrainerSpec]:
    """Every subclass of ``nnUNetTrainerV2`` in nnU-Net's trainer folder, by name."""
    for name, target in _descendants(_TRAINING, _BASE):
        yield TrainerSpec(
            name=name,
            target=target,
            data_parallel=mode(name) == "dp",
            distributed=mode(name) == "ddp",
            summary="nnU-Net's own",
        )


def mode(name: str) -> Mode:
    """How a trainer of nnU-Net is started: the mode of the nearest base class that has one."""
    return next((_MODES[base] for base in _line(_TRAINING, name) if base in _MODES), "single")


def planner(name: str) -> PlannerSpec | None:
    """The experiment planner of nnU-Net v1 with that class name, or None."""
    target = dict(_descendants(_PLANNING, "ExperimentPlanner")).get(name)
    if target is None:
        return None
    if "ExperimentPlanner2D" in _line(_PLANNING, name):
        return PlannerSpec(name, target_2d=target, summary="nnU-Net's own")
    return PlannerSpec(name, target, summary="nnU-Net's own")


def preprocessor(name: str) -> PreprocessorSpec | None:
    """The preprocessor of nnU-Net v1 with that class name, or None."""
    target = dict(_descendants(_PREPROCESSING, "GenericPreprocessor")).get(name)
    return None if target is None else PreprocessorSpec(name, target, "nnU-Net's own")


def installed() -> str:
    """The version of nnU-Net."""
    return version(OWNER)


def _descendants(folder: str, base: str) -> Iterator[tuple[str, str]]:
    """Names and targets of ``base`` and its subclasses, sorted by name."""
    for name, (module, _) in sorted(_classes(folder).items()):
        if base in _line(folder, name):
            yield name, f"{module}:{name}"


def _line(folder: str, name: str) -> list[str]:
    """The class and those that it descends from."""
    line, classes = [name], _classes(folder)
    while line[-1] in classes:
        line.append(classes[line[-1]][1])
    return line


@cache
def _classes(folder: str) -> dict[str, tuple[str, str]]:
    """Class name to its module and first base class, of one of nnU-Net's folders."""
    spec = find_spec("nnunet")
    if spec is None or not spec.submodule_search_locations:
        return {}
    root = Path(spec.submodule_search_locations[0])
    found = {}
    for path in sorted((root / folder).rglob("*.py")):
        module = ".".join(("nnunet", *path.relative_to(root).with_suffix("").parts))
        for name, base in _CLASS.findall(path.read_text(encoding="utf-8")):
            found[name] = (module, base)
    return found
