"""On a Slurm cluster through submitit: one array a sweep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnplug.config.sweeping import Sweep
from nnplug.errors import ConfigError
from nnplug.plugins import describe
from nnplug.sweeps import attempt
from nnplug.sweeps.jobs import Job
from nnplug.whole import write_json

SUBMITTED = "slurm.json"
FOLDER = ".submitit"
IN_QUEUE = ("PENDING", "RUNNING", "REQUEUED", "COMPLETING", "CONFIGURING", "SUSPENDED")


class Attempt:
    """What submitit runs on a node."""

    def __call__(self, folder: Path) -> None:
        attempt.run(folder)

    def checkpoint(self, folder: Path) -> Any:
        """submitit's: the node is wanted by others or the time is up, go on later."""
        import submitit

        attempt.stop()
        return submitit.helpers.DelayedSubmission(self, folder)


def run(jobs: Sequence[Job], sweep: Sweep) -> None:
    """Submit what is not in the queue yet, and wait for all.

    Raises:
        ConfigError: submitit is not installed, this is no login node, or an option is wrong.
    """
    try:
        import submitit
    except ImportError as error:
        raise ConfigError(
            "submitit is not installed", hint='pip install "nnplug[slurm]"'
        ) from error
    folder = jobs[0].folder.parent / FOLDER
    waited = {job.name: _queued(job, folder) for job in jobs}
    new = [job for job in jobs if waited[job.name] is None]
    if new:
        options = {key: value for key, value in sweep.options.items() if value is not None}
        retries = {key: options.pop(key) for key in ("slurm_max_num_timeout",) if key in options}
        try:
            executor = submitit.AutoExecutor(folder=folder / "%j", cluster="slurm", **retries)
            executor.update_parameters(**options)
            submitted = executor.map_array(Attempt(), [job.folder for job in new])
        except (RuntimeError, TypeError, ValueError, NameError) as error:
            raise ConfigError(f"Slurm: {describe(error)}", where="sweep.options") from error
        for job, handle in zip(new, submitted, strict=True):
            write_json(job.folder / SUBMITTED, {"id": handle.job_id})
            waited[job.name] = handle
    for job in jobs:
        try:
            waited[job.name].results()
        except Exception as error:
            job.lost(describe(error))


def _queued(job: Job, folder: Path) -> Any:
    """The job as it was submitted by an earlier command, if Slurm still has it."""
    import submitit

    path = job.folder / SUBMITTED
    if not path.is_file():
        return None
    number = json.loads(path.read_text(encoding="utf-8"))["id"]
    handle: Any = submitit.SlurmJob(folder=folder / "%j", job_id=number)
    return handle if handle.watcher.get_state(number, mode="force") in IN_QUEUE else None
