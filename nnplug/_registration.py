"""What a plugin's module must look like, looked at before its hooks are called."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nnplug import hookspecs
from nnplug.errors import PluginError

PREFIX = "nnplug_"
API_NAME = "nnplug_api"
MARK = f"{hookspecs.PROJECT}_impl"


def hooks() -> dict[str, Any]:
    """Every hook's specification by name, in the order of ``nnplug.hookspecs``."""
    return {name: spec for name, spec in vars(hookspecs).items() if name.startswith(PREFIX)}


@dataclass(frozen=True)
class Implementation:
    """A plugin's function for a hook.

    Attributes:
        function: the function.
        arguments: which of the hook's arguments it takes.
        place: -1 before the other plugins', 1 after them, 0 in the order of the plugins' names.
    """

    function: Callable[..., Any]
    arguments: tuple[str, ...]
    place: int

    def __call__(self, **given: Any) -> Any:
        """Call it with what it takes of the hook's arguments."""
        return self.function(**{name: given[name] for name in self.arguments})


def implementations(module: object, known: dict[str, Any]) -> dict[str, list[Implementation]]:
    """The marked functions of a module (or object), by hook.

    Args:
        module: the plugin.
        known: the hooks that there are, see :func:`hooks`.

    Raises:
        PluginError: it can't be a plugin.
    """
    _check_api(getattr(module, API_NAME, None))
    found: dict[str, list[Implementation]] = {}
    for name in dir(module):
        function = getattr(module, name, None)
        marks = getattr(function, MARK, None)
        if not isinstance(marks, dict):
            if name in known and inspect.isfunction(function):
                raise PluginError(f"{name} is not marked with hookimpl")
            continue
        hook = marks["specname"] or name
        if not inspect.isroutine(function):
            raise PluginError(f"{name} is marked with hookimpl, but is no function")
        if marks["wrapper"] or marks["hookwrapper"]:
            raise PluginError(f"{name} is a wrapper; hooks of nnplug collect and can't be wrapped")
        if hook in known:
            spec = known[hook]
            made = Implementation(
                function, _arguments(hook, function, spec), _place(hook, marks, spec)
            )
            found.setdefault(hook, []).append(made)
        elif not marks["optionalhook"]:
            near = difflib.get_close_matches(hook, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"hooks: {', '.join(known)}"
            raise PluginError(f"there is no hook {hook}; {hint}")
    return found


def _check_api(stated: Any) -> None:
    if stated is None:
        return
    major, minor = hookspecs.API
    here = f"{major}.{minor}"
    numbers = str(stated).split(".")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        raise PluginError(f'{API_NAME} is {stated!r}, not a version such as "{here}"')
    wanted = tuple(map(int, numbers))
    if wanted[0] < major:
        raise PluginError(
            f"it is written for nnplug API {stated}, here is {here}: a newer version is needed"
        )
    if wanted > hookspecs.API:
        raise PluginError(f"it needs nnplug API {stated}, here is {here}: upgrade nnplug")


def _arguments(hook: str, function: Any, spec: Any) -> tuple[str, ...]:
    offered = spec.arguments
    given = inspect.signature(function).parameters
    for name, parameter in given.items():
        if name not in offered and parameter.default is inspect.Parameter.empty:
            listed = ", ".join(offered) or "none"
            raise PluginError(f"{hook} has no argument {name!r}; it has: {listed}")
    return tuple(name for name in given if name in offered)


def _place(hook: str, marks: dict[str, Any], spec: Any) -> int:
    asked = [mark for mark in ("tryfirst", "trylast") if marks[mark]]
    if len(asked) == 2:
        raise PluginError(f"{hook} is marked tryfirst and trylast at once")
    if asked and not spec.ordered:
        raise PluginError(
            f"{hook} is marked {asked[0]}, but what it returns is chosen by name, in no order"
        )
    return int(marks["trylast"]) - int(marks["tryfirst"])
