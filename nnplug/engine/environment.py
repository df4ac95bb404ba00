"""Enter nnU-Net's world: its folders, its worker counts and the device, then its import."""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nnplug.config.folders import Folders
from nnplug.engine.output import loud, quiet
from nnplug.errors import DeviceError, NnplugError

__all__ = ["Device", "ensure", "enter", "loud", "quiet", "worker_count"]

KINDS = ("auto", "cpu", "cuda", "mps")

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_WORKERS = ("nnUNet_n_proc_DA", "nnUNet_def_n_proc")
_AGED: tuple[tuple[str, type[Warning], str], ...] = (
    (r"`torch\.cuda\.amp\.(autocast|GradScaler)\(args\.\.\.\)`", FutureWarning, ""),
    (r"Please import `\w+` from the `scipy\.\w+` namespace", DeprecationWarning, ""),
    (r"Mean of empty slice", RuntimeWarning, r"nnunet\.evaluation\."),
)

_visible_at_start: str | None = os.environ.get(_VISIBLE)


@dataclass
class _Chosen:
    serial: bool = False
    stall_seconds: float = math.inf


_chosen = _Chosen()


@dataclass(frozen=True)
class Device:
    """What the network runs on.

    Attributes:
        kind: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        gpus: the GPUs as the user numbers them, among those visible; empty without CUDA.
        mixed_precision: half precision; on CUDA float16 as in stock nnU-Net, on a CPU training
            in bfloat16 and prediction in float16.
    """

    kind: str
    gpus: tuple[int, ...] = ()
    mixed_precision: bool = False


def enter(
    folders: Folders,
    *,
    device: str,
    gpus: Sequence[int] | None,
    workers: int,
    stall_minutes: float | None = 30,
    threads: int | None = None,
    precision: str = "auto",
    log: Path | None = None,
    all_gpus: bool = False,
) -> Device:
    """Set the environment, import nnU-Net and find the device.

    Args:
        folders: nnU-Net's three folders; a process can serve one set of them only.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        gpus: which of the visible GPUs to use; None takes the first.
        workers: processes for augmentation and for nnU-Net's own pools; 0 loads batches in this
            process and gives the pools one.
        stall_minutes: how long workers may do nothing; None for ever.
        threads: of torch on a CPU, in all processes of a distributed training together; None
            leaves it to torch: one a core, or what ``OMP_NUM_THREADS`` says.
        precision: ``"full"``, ``"mixed"``, or ``"auto"`` for what stock nnU-Net does: mixed on
            CUDA, else full.
        log: file for what nnU-Net prints while it is imported; None drops it.
        all_gpus: without ``gpus``, take every visible GPU.

    Raises:
        DeviceError: the device, or one of the GPUs, is not there.
        NnplugError: this process already works on other folders.
    """
    asked = tuple(gpus or ())
    if device not in KINDS:
        raise DeviceError(f"no device {device!r}", hint=f"one of {', '.join(KINDS)}")
    if asked and device in ("cpu", "mps"):
        raise DeviceError(f"device={device} uses no GPU numbers, asked: {_list(asked)}")
    if len(set(asked)) < len(asked) or any(gpu < 0 for gpu in asked):
        raise DeviceError(f"GPUs must be different numbers from 0, asked: {_list(asked)}")
    ensure(folders, loaded_only=True)
    folders.announce()
    os.environ.update(dict.fromkeys(_WORKERS, str(max(1, workers))))
    _chosen.serial = workers == 0
    _chosen.stall_seconds = math.inf if stall_minutes is None else 60 * stall_minutes
    if threads is not None:
        _set_threads(threads)
    _show(device, asked)
    found = _find(device, asked, all_gpus)
    if precision == "mixed" and found.kind == "mps":
        raise DeviceError("precision=mixed is not offered on mps", hint="precision=auto")
    if precision != "auto":
        found = replace(found, mixed_precision=precision == "mixed")
    _silence()
    with quiet(log):
        import nnunet.paths
        import nnunet.training.network_training.nnUNetTrainerV2  # noqa: F401
    return found


def devices() -> list[str]:
    """What this process could run on: ``cpu``, ``cuda:0 NAME``, ..., ``mps``."""
    import torch

    names = ["cpu"]
    if torch.cuda.is_available():
        names += [
            f"cuda:{index} {torch.cuda.get_device_name(index)}"
            for index in range(torch.cuda.device_count())
        ]
    if torch.backends.mps.is_available():
        names.append("mps")
    return names


def threads() -> int:
    """With how many threads torch computes on the CPU."""
    import torch

    return torch.get_num_threads()


def ensure(folders: Folders, *, loaded_only: bool = False) -> None:
    """Check that nnU-Net was imported for ``folders``.

    Raises:
        NnplugError: it was imported for others or (unless ``loaded_only``) not at all.
    """
    paths = sys.modules.get("nnunet.paths")
    if paths is None:
        if loaded_only:
            return
        raise NnplugError("nnU-Net is not set up", hint="call engine.environment.enter first")
    there = (paths.base, paths.preprocessing_output_dir, paths.network_training_output_dir_base)
    if there != tuple(folders.environment().values()):
        raise NnplugError(
            "nnU-Net was already imported for other folders; a process serves one root",
            where=str(folders.raw_base.parent),
            hint="run each job in a process of its own",
        )


def worker_count() -> int:
    """The number of worker processes that :func:`enter` was given, at least 1."""
    return int(os.environ.get(_WORKERS[0], "1"))


def serial() -> bool:
    """Batches are to be loaded in this process."""
    return _chosen.serial


def stall_seconds() -> float:
    """How long workers may do nothing."""
    return _chosen.stall_seconds


def _set_threads(number: int) -> None:
    os.environ["OMP_NUM_THREADS"] = str(number)  # for the processes that this one starts
    import torch

    torch.set_num_threads(number)


def _show(device: str, asked: tuple[int, ...]) -> None:
    """Make only the chosen GPUs visible; must come before torch looks for them."""
    if device in ("cpu", "mps"):
        os.environ[_VISIBLE] = ""
    elif asked:
        there = None if _visible_at_start is None else _visible_at_start.split(",")
        if there is None:
            os.environ[_VISIBLE] = ",".join(map(str, asked))
        elif max(asked) < len(there) and _visible_at_start:
            os.environ[_VISIBLE] = ",".join(there[gpu].strip() for gpu in asked)
        else:
            raise DeviceError(
                f"asked for GPUs {_list(asked)}; {_VISIBLE}={_visible_at_start!r} shows "
                f"{len(there) if _visible_at_start else 0}",
                hint=f"choose from 0 on, or change {_VISIBLE}",
            )
    elif _visible_at_start is None:
        os.environ.pop(_VISIBLE, None)
    else:
        os.environ[_VISIBLE] = _visible_at_start


def _find(device: str, asked: tuple[int, ...], all_gpus: bool) -> Device:
    import torch

    if device == "mps":
        if not torch.backends.mps.is_available():
            raise DeviceError("device=mps, but torch finds no Apple GPU", hint="device=cpu")
        return Device("mps")
    if device == "cpu":
        if torch.cuda.is_available():
            raise DeviceError(
                "device=cpu, but this process already uses CUDA",
                hint="run each job in a process of its own",
            )
        return Device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked and count < len(asked):
        raise DeviceError(
            f"asked for GPUs {_list(asked)}; {count} of them there", hint="see nvidia-smi"
        )
    if count:
        every = tuple(range(count)) if all_gpus else (0,)
        return Device("cuda", asked or every, mixed_precision=True)
    if device == "cuda":
        build = "" if torch.version.cuda else "; this torch was built without CUDA"
        raise DeviceError(f"device=cuda, but there is no GPU{build}", hint="device=cpu or auto")
    return Device("cpu")


def _silence() -> None:
    """Hide what nnU-Net 1.7.1's age makes newer libraries say, and nothing else."""
    for message, category, module in _AGED:
        warnings.filterwarnings("ignore", message, category, module)


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
