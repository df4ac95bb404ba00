"""What each forked worker is doing, legible after it was killed."""

from __future__ import annotations

import mmap
import os
from collections import OrderedDict, deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SLOTS, _WIDTH = 4096, 512


class _Board:
    """A slot of shared memory for each process; a fork takes the next one."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, _SLOTS * _WIDTH)
        self.mine = 0
        os.register_at_fork(before=self._turn)

    def _turn(self) -> None:
        self.mine = (self.mine + 1) % _SLOTS

    def slot(self, number: int) -> slice:
        return slice(number * _WIDTH, (number + 1) * _WIDTH)


_board = _Board()


def note(text: str) -> None:
    """Say what this process does now."""
    line = f"{os.getpid()} {text}".encode()[:_WIDTH]
    _board.memory[_board.slot(_board.mine)] = line.ljust(_WIDTH, b"\0")


def read(pid: int) -> str:
    """What the process said last; empty if it said nothing."""
    for number in range(_SLOTS):
        owner, _, text = _board.memory[_board.slot(number)].rstrip(b"\0").partition(b" ")
        if owner == str(pid).encode():
            return text.decode(errors="ignore")
    return ""


def name(arguments: Any) -> str:
    """The file or case that a function's arguments are about: the first string in them."""
    if isinstance(arguments, str | Path):
        return Path(arguments).name
    if isinstance(arguments, list | tuple):
        return next(filter(None, map(name, arguments)), "")
    return ""


class NotedCases(OrderedDict[str, Any]):
    """A loader's cases; notes which ones a batch is made of when they are looked up."""

    def __init__(self, cases: Mapping[str, Any] | None = None, batch_size: int = 1) -> None:
        super().__init__(cases or {})
        self._latest: deque[str] = deque(maxlen=max(1, batch_size))

    def __getitem__(self, case: str) -> Any:
        if not self._latest or self._latest[-1] != case:
            self._latest.append(case)
            note(", ".join(sorted(set(self._latest))))
        return super().__getitem__(case)
