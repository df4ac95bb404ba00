"""Run one job in a process of its own and wait for it; this is what an engine runs somewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from nnplug.sweeps.jobs import LOG, Job

# A training finishes its batch and writes a checkpoint.
PATIENCE_SECONDS = 120.0

_running: set[subprocess.Popen[bytes]] = set()


def run(folder: Path) -> None:
    """Try the job once, whatever comes of it; its folder tells."""
    job = Job(folder)
    command = [sys.executable, "-P", "-m", "nnplug.stages.job", str(folder), str(os.getpid())]
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for this process, which passes it on once
        )
    _running.add(process)
    try:
        code = _wait(process)
    except BaseException:
        stop()
        raise
    finally:
        _running.discard(process)
    if code:
        job.lost(_why(code, folder))


def stop() -> None:
    """Ask every job of this process to end, and wait for that."""
    asked = list(_running)
    for process in asked:
        if process.poll() is None:
            process.terminate()
    for process in asked:
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(process: subprocess.Popen[bytes]) -> int:
    # Without a timeout this would hold a lock that stop(), called by a signal's handler, needs.
    while True:
        try:
            return process.wait(1.0)
        except subprocess.TimeoutExpired:
            continue


def _why(code: int, folder: Path) -> str:
    if code < 0:
        return f"it was killed by {signal.Signals(-code).name}"
    return f"it ended with exit code {code}; see {folder / LOG}"
