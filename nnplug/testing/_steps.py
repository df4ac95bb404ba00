"""Steps that are taken in a process of their own, and what went wrong at each."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from nnplug.testing import task

Steps = Mapping[str, str | None]
NOT_REACHED = "not reached"


def take(steps: Iterable[Callable[[], None]]) -> dict[str, str | None]:
    """Take the steps in order; what they print goes to standard error.

    Returns:
        Name to None, or to what was raised; those after one that failed are not reached.
    """
    found: dict[str, str | None] = {}
    for step in steps:
        found[step.__name__] = NOT_REACHED if any(found.values()) else _taken(step)
    return found


def _taken(step: Callable[[], None]) -> str | None:
    try:
        with contextlib.redirect_stdout(sys.stderr):
            step()
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}"
    return None


def tell(found: Any) -> None:
    """Print it, for :func:`told` in the process that waits."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def told(module: str, *words: str, folder: Path, seconds: float | None = None) -> Any:
    """Run a module of this package in a new process and return what it tells.

    Raises:
        subprocess.TimeoutExpired: the process, which is killed, has not ended by then.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"nnplug.testing.{module}", *words],
        env=task.environment(),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
