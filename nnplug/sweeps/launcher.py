"""Hydra's launcher of every sweep: jobs to folders, folders to an engine, states to objectives."""

from __future__ import annotations

import importlib
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins import basic_launcher
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from nnplug.catalog import Catalog
from nnplug.config.folders import VARIABLES
from nnplug.config.sweeping import Sweep, objectives, sweep_settings
from nnplug.console import say
from nnplug.errors import Interrupted, SweepError
from nnplug.sweeps import attempt, table
from nnplug.sweeps.jobs import DONE, FAILED, FINAL, Job

NAN = float("nan")


class Jobs:
    """What a sweep calls for each job, under any launcher; remembers the jobs of this command."""

    def __init__(self, verb: str, catalog: Catalog) -> None:
        self.verb = verb
        self.catalog = catalog
        self.jobs: dict[str, Job] = {}

    @property
    def launcher(self) -> type[JobLauncher]:
        """Hydra's launcher for these jobs."""
        JobLauncher.jobs = self
        return JobLauncher

    def __call__(self, config: DictConfig) -> Any:
        """Run one job here; for launchers other than ours."""
        hydra = HydraConfig.get()
        values = _plain(config)
        job = self.prepare(Path(hydra.sweep.dir), values, list(hydra.overrides.task))
        sweep = sweep_settings(values)
        for _ in range(1 + sweep.retry):
            if job.written().status in FINAL:
                break
            attempt.run(job.folder)
        return objective(job, values)

    def prepare(self, folder: Path, values: Mapping[str, Any], overrides: Sequence[str]) -> Job:
        """The job of this configuration."""
        job = Job.prepare(
            folder.expanduser().resolve(),
            self.verb,
            {**values, "resume": _going_on(values["resume"])} if "resume" in values else values,
            filter_overrides(overrides),
            {
                "made": time.time(),
                "cwd": str(Path.cwd()),
                "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
                "slots": sweep_settings(values).slots or self._gpus(values),
            },
        )
        self.jobs.setdefault(job.name, job)
        return job

    def _gpus(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """``trainer.gpus`` of a sweep: all for a trainer of several GPUs, else a free one each."""
        trainer = values.get("trainer") or {}
        if not trainer.get("gpus"):
            return None
        spec = self.catalog.trainers.get(trainer["name"]).spec
        count = len(trainer["gpus"]) if spec.data_parallel or spec.distributed else 1
        return {"kind": "gpu", "ids": trainer["gpus"], "count": count}

    def conclude(self) -> None:
        """Say how the jobs ended.

        Raises:
            SweepError: some did not end well; all are listed.
        """
        if not self.jobs:
            return
        found = table.rows(list(self.jobs.values()))
        folder = found[0].job.folder.parent
        bad = [row for row in found if row.state.status not in FINAL]
        if not bad:
            say(f"{len(found)} jobs done; nnplug sweep table {folder}")
            return
        lines = [f"  {row.job.name} {row}: {row.state.status}: {row.state.error}" for row in bad]
        raise SweepError(
            "\n".join([f"{len(bad)} of {len(found)} jobs did not end well", *lines]),
            where=str(folder),
            hint="run the same command with the same sweep.dir to try them again",
        )


class JobLauncher(Launcher):
    """Prepares every job of a batch, skips what is done and lets an engine try the rest."""

    jobs: Jobs

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Hydra's."""
        self.loader = hydra_context.config_loader
        self.config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Hydra's; returns the objectives, NaN for a job that did not end well."""
        prepared = [
            self._prepare(list(overrides), initial_job_idx + index)
            for index, overrides in enumerate(job_overrides)
        ]
        jobs = list({job.name: job for job, _, _ in prepared}.values())
        run(jobs, sweep_settings(prepared[0][1]))
        for job, values, answer in prepared:
            answer.return_value = objective(job, values)
            answer.status = JobStatus.COMPLETED
        return [answer for _, _, answer in prepared]

    def _prepare(self, overrides: list[str], number: int) -> tuple[Job, dict[str, Any], JobReturn]:
        config = self.loader.load_sweep_config(self.config, overrides)
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{number}"
            config.hydra.job.num = number
        HydraConfig.instance().set_config(config)
        values = _plain(config)
        task = OmegaConf.to_container(config.hydra.overrides.task)
        assert isinstance(task, list)
        job = self.jobs.prepare(Path(config.hydra.sweep.dir), values, task)
        with open_dict(config):
            hydra = OmegaConf.masked_copy(config, "hydra")
            del config["hydra"]
        return job, values, JobReturn(overrides=task, cfg=config, hydra_cfg=hydra)


# Hydra takes launchers from its own modules and from packages of plugins only.
JobLauncher.__module__ = basic_launcher.__name__
setattr(basic_launcher, JobLauncher.__name__, JobLauncher)


def run(jobs: Sequence[Job], sweep: Sweep) -> None:
    """Let the engine try what is not done, and again as often as is asked for.

    Raises:
        ConfigError: the engine can't be used.
        Interrupted: this process was asked to stop; the jobs here were too.
    """
    engine = importlib.import_module(f"nnplug.sweeps.engines.{sweep.engine}")
    for again in range(1 + sweep.retry):
        open_jobs = [job for job in jobs if job.written().status not in FINAL]
        if not open_jobs:
            return
        done = len(jobs) - len(open_jobs)
        said = f"; {done} are done already" if done and not again else ""
        what = "again " if again else ""
        say(f"sweep: {what}{len(open_jobs)} jobs on {sweep.engine}{said}")
        say(f"  nnplug sweep status {jobs[0].folder.parent} --watch")
        try:
            engine.run(open_jobs, sweep)
        except KeyboardInterrupt:
            raise Interrupted("the sweep was interrupted", hint="run the same again") from None
        finally:
            attempt.stop()


def objective(job: Job, config: Mapping[str, Any]) -> float | tuple[float, ...] | None:
    """What the sweeper is told of a job: the figures that ``objective`` names.

    A job without them, or with one that is not finite, has failed; then all are NaN.
    """
    if "objective" not in config:
        return None
    names = objectives(config["objective"])
    state = job.written()
    found = tuple(float(state.metrics.get(name, NAN)) for name in names)
    if state.status == DONE and not all(map(math.isfinite, found)):
        odd = next(n for n, value in zip(names, found, strict=True) if not math.isfinite(value))
        job.change(status=FAILED, error=f"the objective {odd} is not a finite number")
    if job.written().status != DONE:
        found = (NAN,) * len(names)
    return found[0] if isinstance(config["objective"], str) else found


def _going_on(resume: Any) -> dict[str, Any]:
    return {**(resume if isinstance(resume, Mapping) else {}), "newest": True}


def _plain(config: DictConfig) -> dict[str, Any]:
    """Everything but Hydra's part, resolved."""
    kept = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    values = OmegaConf.to_container(kept, resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}
