"""Turn SIGINT and SIGTERM into an orderly end: a flag to look at, or an exception at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from nnplug.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop(BaseException):
    """Unwinds nnU-Net's loops when the user asked to stop; never leaves the engine."""


class Watch:
    """Handles the two signals while it is entered (in the main thread; else does nothing).

    The first signal sets :attr:`requested` and, if :attr:`at_once`, raises :class:`Stop`;
    the second one raises KeyboardInterrupt. Worker processes forked inside ignore SIGINT,
    which a terminal sends to them as well, and die of SIGTERM.

    Attributes:
        requested: a signal arrived.
        at_once: raise from the handler instead of waiting for :meth:`check`.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self.requested = False
        self.at_once = at_once
        self._owner = os.getpid()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Watch:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def check(self) -> None:
        """Raise :class:`Stop` if a signal arrived."""
        if self.requested:
            raise Stop

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        if self.at_once:
            raise Stop


def interrupted(what: str, hint: str) -> Interrupted:
    """The error that tells the user what was kept and how to go on."""
    return Interrupted(f"{what} was interrupted", hint=hint)
