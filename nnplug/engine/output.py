"""Send what nnU-Net prints to a log file, but let callbacks print to the console."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nnplug.errors import StorageError

_thread = threading.local()


class _Router(io.TextIOBase):
    """A text stream that goes to the console inside :func:`loud`, else to the log.

    With ``only``, the identifier of a thread, the others go to the console as well.
    """

    def __init__(self, console: Any, log: Any, only: int | None) -> None:
        self._console = console
        self._log = log
        self._only = only

    @property
    def _target(self) -> Any:
        elsewhere = self._only not in (None, threading.get_ident())
        return self._console if elsewhere or getattr(_thread, "loud", False) else self._log

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return str(getattr(self._target, "encoding", "utf-8"))

    def write(self, text: str) -> int:
        return int(self._target.write(text))

    def flush(self) -> None:
        if not self._log.closed:
            self._target.flush()

    def isatty(self) -> bool:
        return bool(self._target.isatty())

    def fileno(self) -> int:
        return int(self._target.fileno())


@contextlib.contextmanager
def quiet(log: Path | None, *, all_threads: bool = True) -> Iterator[None]:
    """Append stdout and stderr of Python code (workers forked inside too) to ``log``.

    None drops them. What holds its own stream (a logging handler, a console that was given
    its file) keeps writing there; run callbacks inside :func:`loud`. Without ``all_threads``
    only the calling thread is quiet.

    Raises:
        StorageError: the log can't be written.
    """
    target = Path(os.devnull) if log is None else log
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        stream = target.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise StorageError(f"can't write the log: {error}", where=str(target)) from error
    only = None if all_threads else threading.get_ident()
    routers = _Router(sys.stdout, stream, only), _Router(sys.stderr, stream, only)
    with stream, contextlib.redirect_stdout(routers[0]), contextlib.redirect_stderr(routers[1]):
        yield


@contextlib.contextmanager
def loud() -> Iterator[None]:
    """Inside :func:`quiet`, let this thread print to the console again."""
    before = getattr(_thread, "loud", False)
    _thread.loud = True
    try:
        yield
    finally:
        _thread.loud = before
