"""Steps towards an artefact: what is there, what is missing, and one walk that makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nnplug.stages.locking import locked

if TYPE_CHECKING:
    from nnplug.engine.environment import Device


@dataclass(frozen=True)
class Look:
    """What a look at an artefact finds.

    Attributes:
        state: ``done``, ``missing`` (wholly or in part) or ``stale`` (made of what has changed).
        why: a few words.
    """

    state: Literal["done", "missing", "stale"]
    why: str = ""


@dataclass(frozen=True, eq=False)
class Step:
    """One artefact and how it is made.

    Attributes:
        name: for the user.
        look: finds out whether it is there, without changing anything.
        make: makes what is missing of it, on the device; whole, or not at all.
        needs: the steps that come before.
        lock: a folder; its lock lets one process make, while others do something else or
            wait. None for what locks by itself and is cheap where nothing is to do.
    """

    name: str
    look: Callable[[], Look]
    make: Callable[[Device], object]
    needs: tuple[Step, ...] = ()
    lock: Path | None = None


def walk(steps: Iterable[Step], device: Device) -> None:
    """Make what is not there, each step after those that it needs.

    Raises:
        NnplugError: whatever keeps a step from being made; those before it are kept.
    """
    left = list(steps)
    while left:
        ready = [step for step in left if not any(need in left for need in step.needs)]
        made = next((step for step in ready if _made(step, device, wait=False)), None)
        if made is None:
            made = ready[0]
            _made(made, device, wait=True)
        left.remove(made)


def _made(step: Step, device: Device, *, wait: bool) -> bool:
    """Make the step; False if another process is at it and ``wait`` is not set."""
    if step.lock is None:
        step.make(device)
        return True
    if step.look().state == "done":
        return True
    with locked(step.lock, "is being made", what=step.name, wait=wait) as held:
        if held and step.look().state != "done":
            step.make(device)
        return held


def listed(steps: Sequence[Step]) -> list[tuple[Step, Look]]:
    """Every step and what a look at it finds; what follows a step that is not done is stale."""
    found: dict[Step, Look] = {}
    for step in steps:
        look = step.look()
        before = next((need for need in step.needs if found[need].state != "done"), None)
        if look.state == "done" and before is not None:
            look = Look("stale", f"comes after {before.name}")
        found[step] = look
    return list(found.items())
