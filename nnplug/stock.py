"""nnU-Net's own trainers: found by name in its source files, without importing them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from nnplug.types import TrainerSpec

OWNER = "nnunet"
Mode = Literal["single", "dp", "ddp", "cascade"]

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
    for name, (module, _) in sorted(_classes().items()):
        if _BASE in _line(name):
            yield TrainerSpec(
                name=name,
                target=f"{module}:{name}",
                data_parallel=mode(name) == "dp",
                summary="nnU-Net's own",
            )


def mode(name: str) -> Mode:
    """How a trainer of nnU-Net is started: the mode of the nearest base class that has one."""
    return next((_MODES[base] for base in _line(name) if base in _MODES), "single")


def installed() -> str:
    """The version of nnU-Net."""
    return version(OWNER)


def _line(name: str) -> list[str]:
    """The class and those that it descends from."""
    line = [name]
    while line[-1] in _classes():
        line.append(_classes()[line[-1]][1])
    return line


@cache
def _classes() -> dict[str, tuple[str, str]]:
    """Class name to its module and first base class."""
    spec = find_spec("nnunet")
    if spec is None or not spec.submodule_search_locations:
        return {}
    root = Path(spec.submodule_search_locations[0])
    found = {}
    for path in sorted((root / "training" / "network_training").rglob("*.py")):
        module = ".".join(("nnunet", *path.relative_to(root).with_suffix("").parts))
        for name, base in _CLASS.findall(path.read_text(encoding="utf-8")):
            found[name] = (module, base)
    return found
