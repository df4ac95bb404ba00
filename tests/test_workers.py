"""Worker processes: what is done when one is killed, and when the work is given up."""

from __future__ import annotations

import os
import signal
import time

import pytest

from nnplug.errors import DataError
from nnplug.stages.workers import pool


def test_a_killed_worker_is_an_error_with_a_remedy() -> None:
    with (
        pytest.raises(DataError, match="a worker process was killed") as caught,
        pool(1) as workers,
    ):
        workers.submit(os._exit, 1).result()
    assert "workers=1" in str(caught.value.hint)


def test_work_that_has_not_begun_is_dropped_after_an_error() -> None:
    def give_up() -> None:
        with pool(1) as workers:
            for _ in range(1000):
                workers.submit(time.sleep, 0.2)
            raise ZeroDivisionError

    start = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        give_up()
    assert time.monotonic() - start < 60


def test_a_worker_leaves_ctrl_c_to_its_parent() -> None:
    with pool(1) as workers:
        pid = workers.submit(os.getpid).result()
        os.kill(pid, signal.SIGINT)
        assert workers.submit(os.getpid).result() == pid
