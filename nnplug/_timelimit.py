"""A limit on how long a plugin may take, so that one that hangs is named instead of waited for."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class TooLong(BaseException):
    """The time is over; not an Exception, so that a plugin doesn't catch it by accident."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`TooLong` in the block after ``seconds``; 0 or less is no limit.

    It interrupts Python code, sleeping and waiting for locks or sockets. Signals reach the main
    thread only: in another thread there is no limit. An earlier timer goes on afterwards.
    """
    if seconds <= 0 or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise TooLong(f"took longer than {seconds:g} s")

    start = time.monotonic()
    handler = signal.signal(signal.SIGALRM, stop)
    earlier, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        left = earlier and max(earlier - (time.monotonic() - start), 1e-3)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, left, interval)
