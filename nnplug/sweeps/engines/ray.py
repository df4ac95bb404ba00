"""On a Ray cluster: one that is there (``options.init.address``), or one for this sweep."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from nnplug.config.sweeping import Sweep
from nnplug.errors import ConfigError
from nnplug.plugins import describe
from nnplug.sweeps import attempt
from nnplug.sweeps.jobs import Job


def run(jobs: Sequence[Job], sweep: Sweep) -> None:
    """Ray itself runs a job again elsewhere whose node is lost (``options.remote.max_retries``).

    Raises:
        ConfigError: Ray is not installed, or there is no such cluster.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError("ray is not installed", hint='pip install "nnplug[ray]"') from error
    started = not ray.is_initialized()
    if started:
        try:
            ray.init(log_to_driver=False, **(sweep.options.get("init") or {}))
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"no Ray cluster: {describe(error)}", where="sweep.options.init"
            ) from error
    try:
        remote = ray.remote(**(sweep.options.get("remote") or {}))(_attempt)
        running = {remote.remote(str(job.folder)): job for job in jobs}
        for reference, job in running.items():
            try:
                ray.get(reference)
            except ray.exceptions.RayError as error:
                job.lost(describe(error))
    finally:
        if started:
            ray.shutdown()


def _attempt(folder: str) -> None:
    attempt.run(Path(folder))
