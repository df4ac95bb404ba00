"""nnU-Net's process pools: they say what they do, and end though a worker was killed."""

from __future__ import annotations

import contextlib
import multiprocessing.pool
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nnplug.engine import board

_open: weakref.WeakSet[Pool] = weakref.WeakSet()
_listeners: list[Callable[[], object]] = []


class Pool(multiprocessing.pool.Pool):
    """A pool whose workers note the file or case that they work on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _open.add(self)
        for started in _listeners:
            started()

    def _map_async(
        self, func: Callable[..., Any], iterable: Iterable[Any], *args: Any, **kwargs: Any
    ) -> Any:
        """What ``map``, ``starmap`` and their asynchronous forms call."""
        return super()._map_async(_Noted(func), iterable, *args, **kwargs)  # type: ignore[misc]

    def abandon(self) -> None:
        """Leave the pool as it is: who was killed may hold a lock that its end would wait for."""
        self._worker_handler._state = multiprocessing.pool.TERMINATE  # type: ignore[attr-defined]
        self._terminate.cancel()  # type: ignore[attr-defined]


class _Noted:
    """A function that notes its arguments before it is called."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        board.note(board.name(arguments))
        return self._function(*arguments)


@contextlib.contextmanager
def noted(started: Callable[[], object]) -> Iterator[None]:
    """Inside, ``multiprocessing.Pool`` makes a :class:`Pool`, and calls ``started``."""
    stock = multiprocessing.pool.Pool
    multiprocessing.pool.Pool = Pool  # type: ignore[misc]
    _listeners.append(started)
    try:
        yield
    finally:
        _listeners.remove(started)
        multiprocessing.pool.Pool = stock  # type: ignore[misc]


def abandon() -> None:
    """Abandon every pool that is still there."""
    for pool in list(_open):
        pool.abandon()
