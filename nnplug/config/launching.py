"""``-m``: each job of a sweep in a process of its own, as many at a time as there are GPUs.

nnU-Net reads its folders, and torch its GPUs, once a process. A trainer for one GPU gets a free
one of ``trainer.gpus``; a data-parallel one gets all of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins import basic_launcher
from hydra.core.utils import JobReturn, JobStatus, filter_overrides, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from nnplug.catalog import Catalog
from nnplug.config.slots import Slots
from nnplug.errors import ConfigError, Interrupted, NnplugError, TrainingError

_GPUS, _LAUNCHER, _JOBS = "trainer.gpus=", "hydra/launcher=", "hydra.launcher.jobs"
RESULT_VARIABLE = "NNPLUG_RESULT"
_SPEAKING = threading.Lock()


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        number: from 0.
        verb: of nnplug.
        overrides: as on the command line.
        gpus: it may use.
        needed: how many of them; 0 where it needs none.
    """

    number: int
    verb: str
    overrides: tuple[str, ...]
    gpus: tuple[int, ...]
    needed: int


class Processes(Launcher):
    """Hydra's launcher of that kind.

    Args:
        jobs: how many at a time; None for one a GPU, or one.
    """

    catalog: Catalog

    def __init__(self, jobs: int | None = None) -> None:
        self.jobs = jobs
        self._children: set[subprocess.Popen[str]] = set()
        self._stopped = threading.Event()

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.context = hydra_context
        self.config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run all jobs, whatever becomes of one; a failure is raised after the last.

        Raises:
            ConfigError: ``jobs`` is no number.
            Interrupted, KeyboardInterrupt: after the jobs were told, and have stopped.
        """
        if self.jobs is not None and (not isinstance(self.jobs, int) or self.jobs < 1):
            raise ConfigError(f"a number from 1 is wanted here, not {self.jobs!r}", where=_JOBS)
        setup_globals()
        jobs = [self._job(initial_job_idx + n, list(o)) for n, o in enumerate(job_overrides)]
        gpus = {gpu for job in jobs for gpu in job.gpus}
        at_a_time = self.jobs or max(1, len(gpus))
        with ThreadPoolExecutor(at_a_time) as pool:
            running = [pool.submit(self._run, job) for job in jobs]
            try:
                wait(running)
            except (KeyboardInterrupt, Interrupted) as error:
                self._stop(error)
                raise
        return _returns(jobs, [one.result() for one in running])

    def _job(self, number: int, overrides: list[str]) -> Job:
        config = self.context.config_loader.load_sweep_config(self.config, overrides)
        trainer = OmegaConf.select(config, "trainer")
        gpus = tuple(OmegaConf.select(config, "trainer.gpus") or ())
        needed = 0
        if gpus:
            spec = self.catalog.trainers.get(str(trainer.name)).spec
            needed = len(gpus) if spec.data_parallel or spec.distributed else 1
        chosen = [one for one in filter_overrides(overrides) if not one.startswith(_LAUNCHER)]
        return Job(number, str(config.hydra.job.config_name), tuple(chosen), gpus, needed)

    def _run(self, job: Job) -> JobReturn:
        with contextlib.ExitStack() as held:
            overrides = list(job.overrides)
            if job.needed:
                pool = Slots(job.gpus)
                mine = held.enter_context(pool.take(job.needed, self._check_stopped))
                overrides = [one for one in overrides if not one.startswith(_GPUS)]
                overrides.append(f"{_GPUS}[{','.join(map(str, mine))}]")
            self._check_stopped()
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="nnplug-")))
            command = [sys.executable, "-m", "nnplug", job.verb, *overrides]
            return self._child(job, command, folder / "result.json")

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise Interrupted("the sweep was stopped")

    def _child(self, job: Job, command: list[str], result: Path) -> JobReturn:
        """A session of its own keeps the terminal's Ctrl-C from it: it is told once, by us."""
        _say(job, " ".join(command[2:]))
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, RESULT_VARIABLE: str(result)},
            start_new_session=True,
        ) as child:
            self._children.add(child)
            if self._stopped.is_set():
                child.send_signal(signal.SIGTERM)
            for line in child.stdout or ():
                _say(job, line.rstrip("\n"))
            code = child.wait()
            self._children.discard(child)
        if code == 0:
            value = json.loads(result.read_text()) if result.is_file() else None
            return JobReturn(job.overrides, status=JobStatus.COMPLETED, _return_value=value)
        how = f"ended with exit code {code}" if code > 0 else f"was killed by signal {-code}"
        _say(job, how)
        error = _error(code, f"job {job.number} {how}")
        return JobReturn(job.overrides, status=JobStatus.FAILED, _return_value=error)

    def _stop(self, error: BaseException) -> None:
        self._stopped.set()
        number = signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM
        for child in list(self._children):
            child.send_signal(number)


# Hydra takes launchers from its own modules and from packages of plugins only.
Processes.__module__ = basic_launcher.__name__
setattr(basic_launcher, Processes.__name__, Processes)


def keep_result(value: Any) -> None:
    """In a job: hand its number over to the sweep; does nothing elsewhere."""
    path = os.environ.get(RESULT_VARIABLE)
    if path and isinstance(value, int | float):
        Path(path).write_text(json.dumps(value))


def _returns(jobs: Sequence[Job], returns: list[JobReturn]) -> list[JobReturn]:
    """Hydra raises the first failure it comes across: let it name all of them."""
    failed = [
        (job, one) for job, one in zip(jobs, returns, strict=True) if one.status == JobStatus.FAILED
    ]
    if failed:
        listed = "; ".join(f"{job.number} ({' '.join(job.overrides)})" for job, _ in failed)
        first = failed[0][1]
        first._return_value = type(first._return_value)(
            f"{len(failed)} of {len(jobs)} jobs failed: {listed}",
            hint="their own messages are above; the others are done",
        )
    return returns


def _error(code: int, problem: str) -> NnplugError:
    """The kind of error with that exit code."""
    kinds = {kind.exit_code: kind for kind in NnplugError.__subclasses__()}
    return kinds.get(code, TrainingError if code < 0 else NnplugError)(problem)


def _say(job: Job, text: str) -> None:
    with _SPEAKING:
        sys.stderr.write(f"[{job.number}] {text}\n")
        sys.stderr.flush()
