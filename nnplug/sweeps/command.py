"""What ``-m`` does with a verb: the jobs of one command, and how they ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import filter_overrides
from hydra.plugins.plugin import Plugin
from omegaconf import DictConfig

from nnplug.catalog import Catalog
from nnplug.config.sweeping import sweep_settings
from nnplug.console import say
from nnplug.errors import SweepError
from nnplug.sweeps import attempt, table
from nnplug.sweeps.jobs import FINAL, Job, surroundings
from nnplug.sweeps.launcher import JobLauncher, objective, plain
from nnplug.sweeps.sweeper import SearchSweeper


class Jobs:
    """What a sweep calls for each job, under any launcher; remembers the jobs of this command."""

    def __init__(self, verb: str, catalog: Catalog) -> None:
        self.verb = verb
        self.catalog = catalog
        self.jobs: dict[str, Job] = {}

    @property
    def plugins(self) -> tuple[type[Plugin], ...]:
        """Hydra's launcher and sweeper for these jobs."""
        JobLauncher.jobs = self
        return JobLauncher, SearchSweeper

    def __call__(self, config: DictConfig) -> Any:
        """Run one job here; for launchers other than ours."""
        hydra = HydraConfig.get()
        values = plain(config)
        job = self.prepare(Path(hydra.sweep.dir), values, list(hydra.overrides.task))
        sweep = sweep_settings(values)
        for _ in range(1 + sweep.retry):
            if job.written().status in FINAL:
                break
            attempt.run(job.folder)
        return objective(job, values)

    def prepare(self, folder: Path, values: Mapping[str, Any], overrides: Sequence[str]) -> Job:
        """The job of this configuration."""
        folder = folder.expanduser().resolve()
        config = {**values, "sweep": {**values["sweep"], "dir": str(folder)}}
        if "resume" in values:
            config["resume"] = _going_on(values["resume"])
        job = Job.prepare(
            folder,
            self.verb,
            config,
            filter_overrides(overrides),
            surroundings(self.slots(values)),
        )
        self.jobs.setdefault(job.name, job)
        return job

    def slots(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """What a job has to take before it starts: ``sweep.gpus``, ``sweep.cores``, or of
        ``trainer.gpus`` all for a trainer of several GPUs, else a free one.
        """
        if (slots := sweep_settings(values).slots) is not None:
            return slots
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


def _going_on(resume: Any) -> dict[str, Any]:
    return {**(resume if isinstance(resume, Mapping) else {}), "newest": True}
