"""Workers end on SIGTERM whatever they are doing."""

from __future__ import annotations

import subprocess
import sys

STUCK = """
import ctypes, multiprocessing, os, signal
from nnplug.engine.interrupts import Watch

def stuck(ready):
    # A lock of the C library that is never released: no Python handler can run here.
    lock = ctypes.create_string_buffer(256)
    ready.send(signal.getsignal(signal.SIGINT))
    for _ in range(2):
        ctypes.CDLL(None).pthread_mutex_lock(lock)

with Watch():
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    worker = context.Process(target=stuck, args=(theirs,))
    worker.start()
    print(ours.recv() is signal.SIG_IGN or ours)
    worker.terminate()
    worker.join(20)
    print(worker.exitcode)
    worker.kill()
print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""


def test_a_worker_that_python_can_not_reach_dies_of_sigterm() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["True", "-15", "True"]


LATE = """
import multiprocessing, signal
from nnplug import cli
from nnplug.engine.interrupts import Watch

signal.signal(signal.SIGTERM, cli._terminate)
with Watch():
    pass
context = multiprocessing.get_context("fork")
ours, theirs = context.Pipe()
context.Process(
    target=lambda: theirs.send(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
).start()
print(ours.recv(), signal.getsignal(signal.SIGTERM) is cli._terminate)
"""


def test_a_worker_that_a_pool_replaces_later_dies_of_it_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LATE], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["True", "True"]
