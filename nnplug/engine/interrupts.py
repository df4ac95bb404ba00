"""Turn SIGINT, SIGTERM, SIGUSR1 (Slurm's warning) and killed workers into an orderly end."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from nnplug.errors import Interrupted, NnplugError, TrainingError

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)
)

_entered: list[Watch] = []


def _in_forked_worker() -> None:
    """A Python handler may never run in a worker that waits for work; the system's does."""
    if _entered:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for number in set(SIGNALS) - {signal.SIGTERM}:
            signal.signal(number, signal.SIG_IGN)


os.register_at_fork(after_in_child=_in_forked_worker)


class Stop(BaseException):
    """Unwinds nnU-Net's loops when the user asked to stop; never leaves the engine."""


class Watch:
    """Handles these signals while it is entered (in the main thread; else does nothing).

    The first signal sets :attr:`requested` and, if :attr:`at_once`, raises :class:`Stop`;
    the second one raises KeyboardInterrupt. Worker processes forked inside die of SIGTERM
    and ignore the others, which a terminal or Slurm sends to them as well.

    A process pool waits for ever for a worker that the system killed (out of memory). If
    :attr:`at_once`, that too raises :class:`Stop`.

    Attributes:
        requested: a signal arrived.
        at_once: raise from the handler instead of waiting for :meth:`check`.
        lost: a worker was killed.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self.requested = False
        self.at_once = at_once
        self.lost = False
        self._owner = os.getpid()
        self._before: dict[signal.Signals, Any] = {}
        self._left = threading.Event()

    def __enter__(self) -> Watch:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
            _entered.append(self)
            threading.Thread(target=self._look_after_workers, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        if self in _entered:
            _entered.remove(self)
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def check(self) -> None:
        """Raise :class:`Stop` if a signal arrived."""
        if self.requested:
            raise Stop

    def explain(self, what: str, hint: str) -> NnplugError:
        """The error for the user after :class:`Stop`: what was kept and how to go on."""
        if self.lost and not self.requested:
            return TrainingError(
                f"{what} failed: a worker process was killed",
                hint="often too little memory: try fewer workers=",
            )
        return Interrupted(f"{what} was interrupted", hint=hint)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        if self.requested:
            raise KeyboardInterrupt
        self.requested = not self.lost
        if self.at_once:
            raise Stop

    def _look_after_workers(self) -> None:
        workers: set[Any] = set()
        while not self._left.wait(0.2):
            if not self.at_once:
                continue
            with contextlib.suppress(RuntimeError, ValueError):  # they come and go meanwhile
                workers.update(multiprocessing.active_children())
                if any(worker.exitcode == -signal.SIGKILL for worker in workers):
                    self.lost = True
                    os.kill(self._owner, signal.SIGTERM)
                    return
