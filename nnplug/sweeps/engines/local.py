"""On this machine, as many at once as asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nnplug.config import resources
from nnplug.config.sweeping import Sweep
from nnplug.sweeps import attempt
from nnplug.sweeps.jobs import Job


def run(jobs: Sequence[Job], sweep: Sweep) -> None:
    """Each job is a process anyway, so joblib's threads suffice to wait for them."""
    number = min(at_once(sweep, jobs[0].content()["slots"]), len(jobs))
    if number == 1:
        for job in jobs:
            attempt.run(job.folder)
        return
    import joblib

    tasks = (joblib.delayed(attempt.run)(job.folder) for job in jobs)
    joblib.Parallel(n_jobs=number, backend="threading", batch_size=1)(tasks)


def at_once(sweep: Sweep, slots: Mapping[str, Any] | None) -> int:
    """How many jobs run at the same time, each with its slots."""
    if sweep.jobs is not None:
        return resources.cores() if sweep.jobs == -1 else sweep.jobs
    return len(slots["ids"]) // slots["count"] if slots else 1
