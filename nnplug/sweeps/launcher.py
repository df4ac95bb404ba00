"""Hydra's launcher of every sweep: jobs to folders, folders to an engine, states to objectives."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins import basic_launcher
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from nnplug.config.sweeping import Sweep, objectives, sweep_settings
from nnplug.console import say
from nnplug.errors import Interrupted
from nnplug.sweeps import attempt
from nnplug.sweeps.jobs import DONE, FAILED, FINAL, Job

if TYPE_CHECKING:
    from nnplug.sweeps.command import Jobs

NAN = float("nan")


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
            answer.working_dir = str(job.folder)
        return [answer for _, _, answer in prepared]

    def _prepare(self, overrides: list[str], number: int) -> tuple[Job, dict[str, Any], JobReturn]:
        config = self.loader.load_sweep_config(self.config, overrides)
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{number}"
            config.hydra.job.num = number
        HydraConfig.instance().set_config(config)
        values = plain(config)
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


def plain(config: DictConfig) -> dict[str, Any]:
    """Everything but Hydra's part, resolved."""
    kept = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    values = OmegaConf.to_container(kept, resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}
