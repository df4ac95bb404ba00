"""``nnUNetTrainerV2_DDP`` in one process a GPU, started through torchrun's own interface.

On the CPU the processes exchange their gradients with gloo. The trainer's class is nnU-Net's,
and so is its name in the checkpoint; see :func:`joined` for what its module needs today.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import multiprocessing
import os
import pickle
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from nnplug.config.folders import Folders
from nnplug.engine import environment, groups, mounting
from nnplug.engine.environment import Device
from nnplug.errors import Interrupted, NnplugError, TrainingError
from nnplug.runs import EpochReport

if TYPE_CHECKING:
    from nnplug.engine.job import TrainJob, TrainResult

CALLS = ("epoch", "note", "start")
_MODULE = "nnunet.training.network_training.nnUNetTrainerV2_DDP"
_PATIENCE = timedelta(hours=12)  # the first process scores the validation while others wait


@dataclass(frozen=True)
class _Part:
    """What each process is given; all of it can be pickled."""

    folders: Folders
    device: Device
    workers: int
    stall_seconds: float
    job: TrainJob
    calls: Connection
    log: Path
    mounted: Sequence[mounting.Offer]
    errors: Path


def launch(
    folders: Folders,
    device: Device,
    job: TrainJob,
    *,
    processes: int,
    on_epoch: Callable[[EpochReport], None],
    on_note: Callable[[str], None],
    on_start: Callable[[Mapping[str, Any]], None],
    log: Path,
) -> TrainResult:
    """Train and validate one fold in several processes.

    Args:
        folders, device, job, log: as for ``training.run``.
        processes: how many; one a GPU.
        on_epoch, on_note, on_start: as there; called in this process, by another thread.

    Raises:
        NnplugError: as ``training.run``, from whichever process failed first.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id="nnplug",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        start_method="spawn",
    )
    share = max(1, environment.worker_count() // processes)
    listeners: dict[str, Callable[[Any], None]] = {
        "epoch": on_epoch,
        "note": on_note,
        "start": on_start,
    }
    with (
        tempfile.TemporaryDirectory(prefix="nnplug-") as errors,
        _answering(listeners) as calls,
    ):
        part = _Part(
            folders=folders,
            device=device,
            workers=0 if environment.serial() else share,
            stall_seconds=environment.stall_seconds(),
            job=job,
            calls=calls,
            log=log,
            mounted=mounting.mounted(),
            errors=Path(errors),
        )
        try:
            results: dict[int, TrainResult] = elastic_launch(config, _run)(part)
        except SignalException:
            hint = "run the same command with resume=true"
            raise Interrupted("training was interrupted", hint=hint) from None
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            raise _first_error(part.errors, rank, f"process {rank} {failure.message}") from None
    return results[0]


def _run(part: _Part) -> TrainResult:
    from nnplug.engine import training

    os.setsid()  # Ctrl-C reaches the process that started this one, which passes it on
    rank = int(os.environ["RANK"])
    try:
        device = environment.enter(
            part.folders,
            device=part.device.kind,
            gpus=range(len(part.device.gpus)),  # of those that are visible here
            workers=part.workers,
            stall_minutes=None if math.isinf(part.stall_seconds) else part.stall_seconds / 60,
            precision="mixed" if part.device.mixed_precision else "full",
        )
        mounting.replay(part.mounted)
        with joined(device):
            return training.run(
                part.folders,
                device,
                part.job,
                **{f"on_{name}": _caller(part.calls, name, rank) for name in CALLS},
                log=part.log.with_suffix(f".rank{rank}.log") if rank else part.log,
            )
    except NnplugError as error:
        (part.errors / str(rank)).write_bytes(pickle.dumps(error))
        raise


@contextlib.contextmanager
def _answering(listeners: Mapping[str, Callable[[Any], None]]) -> Iterator[Connection]:
    """The end of a pipe for the first process: what it sends is called here, errors go back."""
    here, there = multiprocessing.Pipe()

    def answer() -> None:
        while (call := here.recv()) is not None:
            try:
                listeners[call[0]](call[1])
                here.send(None)
            except Exception as error:
                here.send(error)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield there
    finally:
        there.send(None)
        thread.join()
        here.close()
        there.close()


def _caller(calls: Connection, name: str, rank: int) -> Callable[[Any], None]:
    def call(value: Any) -> None:
        if rank == 0:
            calls.send((name, value))
            if (error := calls.recv()) is not None:
                raise error

    return call


def _first_error(folder: Path, rank: int, otherwise: str) -> NnplugError:
    for path in (folder / str(rank), *sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime_ns)):
        if path.is_file():
            error: NnplugError = pickle.loads(path.read_bytes())
            return error
    return TrainingError(f"training failed: {otherwise}")


@contextlib.contextmanager
def joined(device: Device) -> Iterator[None]:
    """Join the processes, and let nnU-Net's module find them joined.

    nnU-Net 1.7.1 joins with NCCL whatever the device, names a GPU to DistributedDataParallel,
    and calls ``numpy.random.random_integers``, which numpy 2 lacks. For this process the names
    in that one module lead to what does the same here.
    """
    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    cuda = device.kind == "cuda"
    if not cuda:
        torch.set_num_threads(max(1, torch.get_num_threads() // int(os.environ["WORLD_SIZE"])))
    dist.init_process_group("nccl" if cuda else "gloo", timeout=_PATIENCE)

    class OnCpu(DistributedDataParallel):
        def __init__(self, module: Any, device_ids: Any = None) -> None:
            super().__init__(module)

    def random_integers(low: int, high: int, size: Any) -> Any:
        return np.random.randint(low, high + 1, size)

    module = importlib.import_module(_MODULE)
    instead: dict[str, Any] = {
        "dist": _like(dist, init_process_group=lambda **_: None),
        "np": _like(np, random=_like(np.random, random_integers=random_integers)),
        "DDP": DistributedDataParallel if cuda else OnCpu,
    }
    before = {name: getattr(module, name) for name in instead}
    vars(module).update(instead)
    groups.current = groups.Group(dist.get_rank(), dist.get_world_size())
    try:
        yield
    finally:
        groups.current = groups.ALONE
        vars(module).update(before)
        dist.destroy_process_group()


def _like(module: Any, **changes: Any) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(module), **changes})
