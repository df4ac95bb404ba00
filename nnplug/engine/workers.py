"""The worker processes of a step: who died and of what, who does nothing, and their end."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from multiprocessing.process import BaseProcess
from typing import Any

import psutil

from nnplug.engine import board

DUMP = getattr(signal, "SIGUSR2", None)
DUMP_SECONDS = 0.5  # for each: what several write at once is mixed
_FINE = (None, 0, -signal.SIGTERM)  # pools end their workers by SIGTERM


class Workers:
    """The child processes that were started since this was made."""

    def __init__(self) -> None:
        self._others = set(multiprocessing.active_children())
        self._known: set[BaseProcess] = set()
        self._augmenters: list[Any] = []

    def follow(self, augmenter: Any) -> None:
        """Know all workers of a batchgenerators augmenter, also who dies as soon as it starts."""
        self._augmenters.append(augmenter)

    def look(self) -> list[BaseProcess]:
        """All of them, those that have ended too."""
        self._known |= set(multiprocessing.active_children()) - self._others
        for augmenter in self._augmenters:
            self._known.update(getattr(augmenter, "_processes", ()))
        return list(self._known)

    def lost(self) -> str | None:
        """Which one died, of what and over what; None if none did."""
        for worker in self.look():
            code = _code(worker)
            if code not in _FINE:
                died = f"was killed by {_name(-code)}" if code < 0 else f"ended with code {code}"
                return f"a worker process ({worker.name}, {worker.pid}){_doing(worker)} {died}"
        return None

    def seconds(self) -> float:
        """Time that this process and its workers have spent on the CPU."""
        total = 0.0
        for pid in [os.getpid(), *(worker.pid for worker in self._alive())]:
            with contextlib.suppress(psutil.Error):
                times = psutil.Process(pid).cpu_times()
                total += times.user + times.system
        return total

    def describe(self) -> str:
        """Each one's state and what it said last."""
        lines = []
        for worker in self._alive():
            with contextlib.suppress(psutil.Error):
                state = psutil.Process(worker.pid).status()
                lines.append(f"{worker.name} ({worker.pid}){_doing(worker)} is {state}")
        return "; ".join(lines) or "there is no worker process"

    def dump(self) -> None:
        """Ask each for a stack dump (see ``faulthandler.register``), one after the other."""
        if DUMP is None:
            return
        for worker in self._alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid or 0, DUMP)
            time.sleep(DUMP_SECONDS)

    def kill(self) -> None:
        """End them now, whatever they are doing; a stopped one too."""
        for worker in self._alive():
            worker.kill()

    def _alive(self) -> list[BaseProcess]:
        return [worker for worker in self.look() if _code(worker) is None]


def _code(worker: BaseProcess) -> int | None:
    try:
        return worker.exitcode
    except ValueError:  # closed, which only those that ended can be
        return 0


def _doing(worker: BaseProcess) -> str:
    text = board.read(worker.pid or 0)
    return f" at {text}" if text else ""


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
