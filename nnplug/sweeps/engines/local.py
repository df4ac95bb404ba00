"""On this machine, as many at once as asked for."""

from __future__ import annotations

from collections.abc import Sequence

from nnplug.config import resources
from nnplug.config.sweeping import Sweep
from nnplug.sweeps import attempt
from nnplug.sweeps.jobs import Job


def run(jobs: Sequence[Job], sweep: Sweep) -> None:
    """Each job is a process anyway, so joblib's threads suffice to wait for them."""
    at_once = min(_at_once(jobs[0], sweep), len(jobs))
    if at_once == 1:
        for job in jobs:
            attempt.run(job.folder)
        return
    import joblib

    tasks = (joblib.delayed(attempt.run)(job.folder) for job in jobs)
    joblib.Parallel(n_jobs=at_once, backend="threading", batch_size=1)(tasks)


def _at_once(job: Job, sweep: Sweep) -> int:
    if sweep.jobs is not None:
        return resources.cores() if sweep.jobs == -1 else sweep.jobs
    slots = job.content()["slots"]
    return len(slots["ids"]) // slots["count"] if slots else 1
