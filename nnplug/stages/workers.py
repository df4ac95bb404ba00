"""Worker processes that leave Ctrl-C to their parent and never outlive it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from nnplug.errors import DataError

SPAWN = multiprocessing.get_context("spawn")
A = TypeVar("A")
B = TypeVar("B")


class WorkerKilled(DataError):  # noqa: N818 - what happened, not only an error
    """A worker process died over an item, twice, the second time with no other beside it."""

    def __init__(self) -> None:
        super().__init__("a worker process was killed", hint="too little memory? try workers=1")


def each(
    function: Callable[[A], B], items: Iterable[A], workers: int
) -> Generator[tuple[A, B | Exception], None, None]:
    """Apply ``function`` (of a module) to every item in worker processes.

    Yields each item with its result or exception, as they come. An item whose worker is killed
    costs no other: it is tried again at the end, alone, and then comes with a
    :class:`WorkerKilled`. Close the generator to stop early; items under way are finished.
    """
    again = []
    for item, outcome in _once(function, items, workers):
        if isinstance(outcome, WorkerKilled):
            again.append(item)
        else:
            yield item, outcome
    yield from _once(function, again, 1)


def _once(
    function: Callable[[A], B], items: Iterable[A], workers: int
) -> Generator[tuple[A, B | Exception], None, None]:
    waiting = iter(items)
    idle: list[_Worker] = []
    busy: dict[Connection, tuple[_Worker, A]] = {}
    try:
        while True:
            for item in waiting:
                worker = idle.pop() if idle else _Worker(function)
                busy[worker.pipe] = worker, item
                worker.give(item)
                if len(busy) == workers:
                    break
            if not busy:
                return
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                worker, item = busy[pipe]
                outcome = worker.take()
                del busy[pipe]
                if isinstance(outcome, WorkerKilled):
                    worker.end()
                else:
                    idle.append(worker)
                yield item, outcome
    finally:
        for worker in [*idle, *(worker for worker, _ in busy.values())]:
            worker.pipe.close()
        for worker in [*idle, *(worker for worker, _ in busy.values())]:
            worker.end()


class _Worker:
    """A process that applies one function to what comes through its pipe, until that closes."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.pipe, other = SPAWN.Pipe()
        self._process = SPAWN.Process(target=_serve, args=(function, other), daemon=True)
        self._process.start()
        other.close()

    def give(self, item: Any) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.pipe.send(item)

    def take(self) -> Any:
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return WorkerKilled()

    def end(self) -> None:
        self.pipe.close()
        self._process.join()
        self._process.close()


def _serve(function: Callable[[Any], Any], pipe: Connection) -> None:
    _enter()
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            item = pipe.recv()
            try:
                outcome = function(item)
            except Exception as error:
                outcome = error
            pipe.send(outcome)


def _enter() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Without this a worker waits for work for ever after its parent was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
