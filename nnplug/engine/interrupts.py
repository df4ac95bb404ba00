"""Turn signals, dead workers and stalls into an orderly end."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType

from nnplug.engine import environment, groups, pools
from nnplug.engine.workers import DUMP, Workers
from nnplug.errors import Interrupted, NnplugError, TrainingError

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)
)
IDLE = 0.01  # of one core: less is what waiting itself costs

_entered: list[Watch] = []


def _in_forked_worker() -> None:
    """A Python handler may never run in a worker that waits for work; the system's does.

    nnU-Net's unclosed pools replace their workers even after the watch was left.
    """
    ours = getattr(signal.getsignal(signal.SIGTERM), "__module__", None) or ""
    if _entered or ours.startswith("nnplug."):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if _entered:
        for number in set(SIGNALS) - {signal.SIGTERM}:
            signal.signal(number, signal.SIG_IGN)


os.register_at_fork(after_in_child=_in_forked_worker)


class Stop(BaseException):
    """Unwinds nnU-Net's loops when they have to end; never leaves the engine."""


class Watch:
    """Handles these signals while it is entered (in the main thread; else does nothing).

    The first signal sets :attr:`requested` and, if :attr:`at_once`, raises :class:`Stop`;
    the second one raises KeyboardInterrupt. Worker processes forked inside die of SIGTERM
    and ignore the others, which a terminal or Slurm sends to them as well.

    nnU-Net waits for ever for a worker that was killed or stopped. So a worker that died, and
    ``environment.stall_seconds()`` in which nothing happens, set :attr:`failure` and raise
    :class:`Stop` too, if :attr:`guarding`. What the workers were doing is then in the log.

    Attributes:
        requested: a signal arrived.
        at_once: raise from the handler of a signal instead of waiting for :meth:`check`.
        guarding: the same for dead and idle workers.
        failure: which worker died, or what was waited for in vain.
        advice: what to do about it.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self.requested = False
        self.at_once = at_once
        self.guarding = True
        self.failure: str | None = None
        self.advice = "often too little memory: try fewer workers="
        self.workers = Workers()
        self._awaited: tuple[str, float] | None = None
        self._owner = os.getpid()
        self._held = contextlib.ExitStack()
        self._left = threading.Event()

    def __enter__(self) -> Watch:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                before = signal.signal(number, self._handle)
                self._held.callback(signal.signal, number, before or signal.SIG_DFL)
            self._held.enter_context(pools.noted(self.workers.look))
            self._held.enter_context(_stack_dumps())
            _entered.append(self)
            self._held.callback(_entered.remove, self)
            threading.Thread(target=self._look_after_workers, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        self._held.close()

    def check(self) -> None:
        """Raise :class:`Stop` if a signal arrived or a worker is lost."""
        if self.requested or self.failure:
            raise Stop

    def check_together(self) -> None:
        """The same for all processes that train one model; they have to be at the same point."""
        if groups.current.agree(self.requested or bool(self.failure)):
            self.requested = not self.failure
            raise Stop

    @contextlib.contextmanager
    def waiting_for(self, what: str) -> Iterator[None]:
        """Inside, anything raises :class:`Stop` at once, and waiting for too long as well."""
        before = self.at_once, self.guarding
        self._awaited = what, time.monotonic()
        alone = groups.current.size == 1
        self.at_once, self.guarding = alone, True
        try:
            if alone:
                self.check()
            yield
        finally:
            self.at_once, self.guarding = before
            self._awaited = None

    def find_lost(self) -> None:
        """Set :attr:`failure` if a worker died; for who hears of it in another way."""
        self.failure = self.failure or self.workers.lost()

    def explain(self, what: str, hint: str) -> NnplugError:
        """The error for the user after :class:`Stop`: what was kept and how to go on."""
        if self.failure and not self.requested:
            return TrainingError(f"{what} failed: {self.failure}", hint=f"{self.advice}; {hint}")
        return Interrupted(f"{what} was interrupted", hint=hint)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        if self.requested:
            raise KeyboardInterrupt
        self.requested = not self.failure
        if self.guarding if self.failure else self.at_once:
            raise Stop

    def _look_after_workers(self) -> None:
        since, used = time.monotonic(), self.workers.seconds()
        while not self._left.wait(0.2):
            self.find_lost()
            limit = environment.stall_seconds()
            now = time.monotonic()
            if self._awaited is not None and now - self._awaited[1] >= limit:
                self._give_up(self._awaited[0], limit)
            elif self._awaited is None and self.guarding and now - since >= limit:
                spent = self.workers.seconds()
                if spent - used < IDLE * limit:
                    self._give_up("the worker processes", limit)
                since, used = now, spent
            if self.failure:
                pools.abandon()
                self.workers.kill()
                if self.guarding:
                    os.kill(self._owner, signal.SIGTERM)
                return

    def _give_up(self, what: str, seconds: float) -> None:
        found = self.workers.describe()
        with contextlib.suppress(io.UnsupportedOperation, AttributeError, ValueError):
            faulthandler.dump_traceback(sys.stderr)
        self.workers.dump()
        self.advice = "where they are stands in the log; try workers=0, or a larger stall_minutes="
        self.failure = f"waited {seconds / 60:g} minutes for {what}: {found}"


@contextlib.contextmanager
def _stack_dumps() -> Iterator[None]:
    """Inside, a process that gets SIGUSR2 writes where its threads are to the log."""
    try:
        if DUMP is None:
            raise io.UnsupportedOperation
        faulthandler.register(DUMP, sys.stderr)
    except (io.UnsupportedOperation, AttributeError):
        yield
        return
    try:
        yield
    finally:
        faulthandler.unregister(DUMP)
