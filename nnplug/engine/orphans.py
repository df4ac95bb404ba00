"""Forked workers end with the process that forked them, even if that was killed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator

_PR_SET_PDEATHSIG = 1  # prctl(2)
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_inside: list[bool] = []


@contextlib.contextmanager
def none() -> Iterator[None]:
    """Inside, a forked process gets SIGTERM when the thread that forked it ends; on Linux.

    batchgenerators' workers would else wait for ever, with all their memory, for a training
    that was killed by SIGKILL to take their batches.
    """
    _inside.append(True)
    try:
        yield
    finally:
        _inside.pop()


def _in_child() -> None:
    if _inside and _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


os.register_at_fork(after_in_child=_in_child)
