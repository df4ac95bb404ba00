"""What the user sees: short lines and progress bars on standard error.

Results that another program may read go to standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Advance(Protocol):
    """Call it when a step is done."""

    def __call__(self) -> None: ...


@cache
def console() -> Console:
    """The console of this process."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """One line for the user."""
    console().print(text, markup=False)


def warn(text: str) -> None:
    """One line that the user should not miss."""
    console().print(f"warning: {text}", style="yellow", markup=False)


@contextmanager
def progress(title: str, total: int) -> Iterator[Advance]:
    """A progress bar of ``total`` steps; only a title where there is no terminal."""
    if not console().is_terminal:
        say(f"{title}: {total}")
        yield lambda: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    # Bound to the stream as it is now: nnU-Net's prints are diverted while the bar is shown.
    target = Console(file=sys.stderr)
    with Progress(*columns, TimeRemainingColumn(), console=target) as bars:
        task = bars.add_task(title, total=total)
        yield lambda: bars.advance(task)
