"""The cases of one command dealt out to jobs on an engine; each job runs the verb on its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from nnplug.config.build import build
from nnplug.config.sweeping import Parallel, parallel_settings
from nnplug.console import warn
from nnplug.errors import SweepError
from nnplug.sweeps.jobs import FINAL, Job, State, job_name, surroundings
from nnplug.sweeps.launcher import run

KEY = "shard"
T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """One share of the cases.

    Attributes:
        name: of all shards of the command together.
        number: from 0.
        count: how many shards there are.
    """

    name: str
    number: int
    count: int

    @classmethod
    def given(cls, config: Mapping[str, Any]) -> Shard | None:
        """The share that this process has; None if it has all."""
        return build(cls, config[KEY], KEY) if config.get(KEY) else None

    def of(self, cases: Sequence[T]) -> Sequence[T]:
        """Every ``count``-th case, so that neighbours, which are often alike, are dealt out."""
        return cases[self.number :: self.count]


@dataclass(frozen=True)
class Shards:
    """How a command deals its cases out.

    Attributes:
        verb: what the jobs run.
        config: the command's, resolved.
        settings: the engine, and how many shards.
    """

    verb: str
    config: Mapping[str, Any]
    settings: Parallel

    @classmethod
    def wanted(cls, verb: str, config: Mapping[str, Any]) -> Shards | None:
        """None if the cases are to be worked on in this process.

        Raises:
            ConfigError: a key or value below ``parallel`` can't be used.
        """
        settings = parallel_settings(config)
        return cls(verb, config, settings) if settings.shards > 1 else None

    @property
    def name(self) -> str:
        """A hash of what the results come from and of how the cases are dealt out."""
        return job_name(self.verb, {**self.config, KEY: self.settings.shards})

    def run(self, left: Sequence[bool]) -> None:
        """Let the engine work on every shard with a case that is not done.

        A shard that is lost after all tries is told; its cases are left to the caller.

        Args:
            left: of every case, in their order, whether it is to be done.

        Raises:
            ConfigError: the engine can't be used.
            SweepError: every shard was lost.
            Interrupted: this process was asked to stop.
        """
        count = self.settings.shards
        wanted = sorted({index % count for index, undone in enumerate(left) if undone})
        if not wanted:
            return
        jobs = [self._job(number) for number in wanted]
        run(jobs, self.settings)
        states = [job.written() for job in jobs]
        lost = [(job, s) for job, s in zip(jobs, states, strict=True) if s.status not in FINAL]
        if len(lost) == len(jobs):
            job, state = lost[0]
            raise SweepError(
                f"every shard was lost, {job.name} because: {state.error or state.status}",
                where=str(job.folder.parent),
                hint="each folder there has the log.txt of a shard; finished cases are kept",
            )
        for job, state in lost:
            warn(f"the shard {job.folder} was lost ({state.error}); its cases are done here")

    def _job(self, number: int) -> Job:
        folder = (self.settings.dir or Path("shards")).expanduser().resolve() / self.name
        shard = vars(Shard(self.name, number, self.settings.shards))
        config = {**self.config, "parallel": None, KEY: shard}
        slots = self.settings.slots
        job = Job.prepare(folder, self.verb, config, [f"shard={number}"], surroundings(slots))
        if job.written().status in FINAL:
            job.write(State())  # what it did then is not all there now
        return job
