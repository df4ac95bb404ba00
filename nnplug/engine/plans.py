"""nnU-Net's plans files: read one, describe it, derive another with smaller batches."""

from __future__ import annotations

import contextlib
import copy
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnplug.config.folders import Folders
from nnplug.engine.safe import read_pickle
from nnplug.errors import ConfigError, DataError
from nnplug.whole import replacing

STOCK = "nnUNetPlansv2.1"
_DATA_IDENTIFIERS = {"2D": "nnUNetData_plans_v2.1_2D", "3D": "nnUNetData_plans_v2.1"}
NETWORKS = ("2d", "3d_lowres", "3d_fullres", "3d_cascade_fullres")


@dataclass(frozen=True)
class PlanOverrides:
    """What a derived plan changes; None leaves nnU-Net's choice.

    Attributes:
        batch_size: samples in a batch, at least 1.
        patch_size: voxels along y, x (2d) or z, y, x, in the axis order of the plans.
        base_num_features: feature maps of the first level, at least 1.
    """

    batch_size: int | None = None
    patch_size: Sequence[int] | None = None
    base_num_features: int | None = None


def dimension(network: str) -> str:
    """``"2D"`` or ``"3D"``: which of the two plans files ``network`` uses."""
    if network not in NETWORKS:
        raise ConfigError(f"no network {network!r}", hint=f"one of {', '.join(NETWORKS)}")
    return "2D" if network == "2d" else "3D"


def plans_file(folders: Folders, task: str, network: str, identifier: str = STOCK) -> Path:
    """The plans file of that identifier, there or not."""
    return folders.preprocessed / task / f"{identifier}_plans_{dimension(network)}.pkl"


def data_identifier(identifier: str, network: str) -> str:
    """What the preprocessed cases of a planner's plans are called (without their stage)."""
    if identifier == STOCK:
        return _DATA_IDENTIFIERS[dimension(network)]
    return f"{identifier.replace('nnUNetPlans', 'nnUNetData', 1)}_{dimension(network)}"


def read(path: Path) -> dict[str, Any]:
    """Read a plans file.

    Raises:
        DataError: it is missing, damaged, or no plan.
    """
    content = read_pickle(path)
    if not isinstance(content, dict) or not content.get("plans_per_stage"):
        raise DataError("not a plans file of nnU-Net", where=str(path))
    return content


def stage_of(content: dict[str, Any], network: str, where: Path | str) -> int:
    """The stage of the plans that ``network`` uses, as nnU-Net chooses it.

    Raises:
        DataError: the task has one stage, so it needs no cascade.
    """
    stages = list(content["plans_per_stage"])
    if network in ("3d_lowres", "3d_cascade_fullres") and len(stages) == 1:
        raise DataError(
            f"{network} needs two stages; the images of this task are small enough for one",
            where=str(where),
            hint="use network=3d_fullres",
        )
    return 0 if network in ("2d", "3d_lowres") else int(stages[-1])


def stage_folder(folders: Folders, task: str, network: str, identifier: str = STOCK) -> Path:
    """The preprocessed cases that ``network`` is trained with.

    Raises:
        DataError: the task isn't planned with that identifier, or has no such stage.
    """
    path = plans_file(folders, task, network, identifier)
    content = read(path)
    return path.parent / f"{content['data_identifier']}_stage{stage_of(content, network, path)}"


def derive(
    folders: Folders,
    task: str,
    network: str,
    identifier: str,
    overrides: PlanOverrides,
    source: str = STOCK,
) -> None:
    """Write ``<identifier>_plans_2D.pkl`` or ``_3D.pkl`` beside the planner's own plans.

    Every stage is changed, so that the file doesn't depend on ``network``; a patch that another
    stage's network can't have is left out there. The preprocessed arrays serve both. The
    planner's plans stay as they are.

    Args:
        folders, task, network: which plans.
        identifier: of the new ones.
        overrides: what to change.
        source: the identifier of the planner's plans.

    Raises:
        ConfigError: a value that the network's shape does not allow.
        DataError: the task isn't planned, or has no such stage.
    """
    if identifier in (STOCK, source, "") or "__" in identifier or "/" in identifier:
        raise ConfigError(
            f"derived plans can't be called {identifier!r}",
            hint=f"another name than {source}, without '/' and '__'",
        )
    origin = plans_file(folders, task, network, source)
    content = copy.deepcopy(read(origin))
    mine = content["plans_per_stage"][stage_of(content, network, origin)]
    if overrides.base_num_features is not None:
        features = _positive("base_num_features", overrides.base_num_features)
        content["base_num_features"] = features
    for stage in content["plans_per_stage"].values():
        if overrides.batch_size is not None:
            stage["batch_size"] = _positive("batch_size", overrides.batch_size)
        if overrides.patch_size is not None:
            with contextlib.nullcontext() if stage is mine else contextlib.suppress(ConfigError):
                stage["patch_size"] = _patch(overrides.patch_size, stage["pool_op_kernel_sizes"])
    path = plans_file(folders, task, network, identifier)
    with replacing(path) as beside:
        beside.write_bytes(pickle.dumps(content))


def describe(folders: Folders, task: str, network: str, identifier: str = STOCK) -> dict[str, Any]:
    """What the plans say about the network: plain numbers for printing.

    Returns:
        ``patch`` (voxels; y, x or z, y, x), ``batch``, ``features``, ``spacing`` (mm; z, y, x)
        and ``pools`` (how often each axis is halved).

    Raises:
        DataError: the task isn't planned with that identifier, or has no such stage.
    """
    path = plans_file(folders, task, network, identifier)
    content = read(path)
    stage = content["plans_per_stage"][stage_of(content, network, path)]
    return {
        "patch": [int(size) for size in stage["patch_size"]],
        "batch": int(stage["batch_size"]),
        "features": int(content["base_num_features"]),
        "spacing": [float(step) for step in stage["current_spacing"]],
        "pools": [int(count) for count in stage["num_pool_per_axis"]],
    }


def _positive(name: str, value: int) -> int:
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise ConfigError(f"{name} must be a whole number from 1, not {value!r}")
    return int(value)


def _patch(sizes: Sequence[int], pools: Sequence[Sequence[int]]) -> Any:
    divisors = np.prod(np.vstack(pools), axis=0)
    axes = "zyx"[-len(divisors) :]
    if len(sizes) != len(divisors):
        raise ConfigError(
            f"patch_size needs {len(divisors)} numbers ({', '.join(axes)}), not {len(sizes)}"
        )
    for axis, size, divisor in zip(axes, sizes, map(int, divisors), strict=True):
        size = _positive("patch_size", size)
        if size % divisor:
            nearest = sorted({max(1, size // divisor) * divisor, (size // divisor + 1) * divisor})
            raise ConfigError(
                f"patch_size: {size} along {axis} must be divisible by {divisor}",
                hint=f"nearest: {' or '.join(map(str, nearest))}",
            )
    return np.array([int(size) for size in sizes])
