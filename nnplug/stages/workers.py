"""Worker processes that leave Ctrl-C to their parent and never outlive it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
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


class Crew:
    """Up to ``size`` worker processes, started when they are needed and kept until the end.

    With 0 the work is done in this process.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._idle: list[_Worker] = []
        self._left: list[_Worker] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        """Let the workers finish what they are doing."""
        workers = [*self._idle, *self._left]
        for worker in workers:
            worker.pipe.close()
        for worker in workers:
            worker.end()

    def each(
        self, function: Callable[[A], B], items: Iterable[A], limit: int | None = None
    ) -> Generator[tuple[A, B | Exception], None, None]:
        """Apply ``function`` (of a module) to every item in the workers.

        Yields each item with its result or exception, as they come. An item whose worker is
        killed costs no other: it is tried again at the end, alone, and then comes with a
        :class:`WorkerKilled`.

        Args:
            function: what to do.
            items: fetched only when a worker is free.
            limit: use no more than this many workers.
        """
        if not self._size:
            yield from ((item, _outcome(function, item)) for item in items)
            return
        again = []
        for item, outcome in self._once(function, items, min(limit or self._size, self._size)):
            if isinstance(outcome, WorkerKilled):
                again.append(item)
            else:
                yield item, outcome
        yield from self._once(function, again, 1)

    def map(self, function: Callable[[A], B], items: Sequence[A]) -> list[B]:
        """The results in the order of the items; raises the first exception."""
        numbered = _Numbered(function)
        results: dict[int, B] = {}
        with contextlib.closing(self.each(numbered, list(enumerate(items)))) as outcomes:
            for (number, _), outcome in outcomes:
                if isinstance(outcome, Exception):
                    raise outcome
                results[number] = outcome
        return [results[number] for number in range(len(items))]

    def _once(
        self, function: Callable[[A], B], items: Iterable[A], workers: int
    ) -> Generator[tuple[A, B | Exception], None, None]:
        waiting = iter(items)
        busy: dict[Connection, tuple[_Worker, A]] = {}
        try:
            while True:
                for item in waiting:
                    worker = self._idle.pop() if self._idle else _Worker()
                    busy[worker.pipe] = worker, item
                    worker.give((function, item))
                    if len(busy) == workers:
                        break
                if not busy:
                    return
                for pipe in wait(list(busy)):
                    assert isinstance(pipe, Connection)
                    worker, item = busy.pop(pipe)
                    outcome = worker.take()
                    if isinstance(outcome, WorkerKilled):
                        worker.end()
                    else:
                        self._idle.append(worker)
                    yield item, outcome
        finally:
            self._left += [worker for worker, _ in busy.values()]  # given up, not yet done


def each(
    function: Callable[[A], B], items: Iterable[A], workers: int
) -> Generator[tuple[A, B | Exception], None, None]:
    """:meth:`Crew.each` with workers of its own; close it to stop early."""
    with Crew(workers) as crew:
        yield from crew.each(function, items)


class _Numbered:
    """A function of an item that carries its number."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def __call__(self, item: tuple[int, Any]) -> Any:
        return self._function(item[1])


class _Worker:
    """A process that applies functions to what comes through its pipe, until that closes."""

    def __init__(self) -> None:
        self.pipe, other = SPAWN.Pipe()
        self._process = SPAWN.Process(target=_serve, args=(other,), daemon=True)
        self._process.start()
        other.close()

    def give(self, work: Any) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.pipe.send(work)

    def take(self) -> Any:
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return WorkerKilled()

    def end(self) -> None:
        self.pipe.close()
        self._process.join()
        self._process.close()


def _serve(pipe: Connection) -> None:
    _enter()
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            function, item = pipe.recv()
            pipe.send(_outcome(function, item))


def _outcome(function: Callable[[A], B], item: A) -> B | Exception:
    try:
        return function(item)
    except Exception as error:
        return error


def _enter() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Without this a worker waits for work for ever after its parent was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
