"""What a plugin's module must look like, looked at before its hooks are called."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator
from typing import Any

from nnplug import hookspecs

PREFIX = "nnplug_"
API_NAME = "nnplug_api"
MARK = f"{hookspecs.PROJECT}_impl"


def hooks() -> dict[str, Any]:
    """Every hook's specification by name, in the order of ``nnplug.hookspecs``."""
    return {name: spec for name, spec in vars(hookspecs).items() if name.startswith(PREFIX)}


def complaint(module: object) -> str | None:
    """Why the module (or object) can't be a plugin, or None."""
    return _api(getattr(module, API_NAME, None)) or next(_complaints(module), None)


def _api(stated: Any) -> str | None:
    if stated is None:
        return None
    major, minor = hookspecs.API
    here = f"{major}.{minor}"
    numbers = str(stated).split(".")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        return f'{API_NAME} is {stated!r}, not a version such as "{here}"'
    wanted = tuple(map(int, numbers))
    if wanted[0] < major:
        return f"it is written for nnplug API {stated}, here is {here}: a newer version is needed"
    if wanted > hookspecs.API:
        return f"it needs nnplug API {stated}, here is {here}: upgrade nnplug"
    return None


def _complaints(module: object) -> Iterator[str]:
    known = hooks()
    for name in dir(module):
        function = getattr(module, name, None)
        marks = getattr(function, MARK, None)
        if not isinstance(marks, dict):
            if name in known and inspect.isfunction(function):
                yield f"{name} is not marked with hookimpl"
            continue
        hook = marks["specname"] or name
        if marks["wrapper"] or marks["hookwrapper"]:
            yield f"{name} is a wrapper; hooks of nnplug collect and can't be wrapped"
        if not inspect.isroutine(function):
            yield f"{name} is marked with hookimpl, but is no function"
        elif hook in known:
            yield from _arguments(hook, function, known[hook])
        elif not marks["optionalhook"]:
            near = difflib.get_close_matches(hook, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"hooks: {', '.join(known)}"
            yield f"there is no hook {hook}; {hint}"


def _arguments(hook: str, function: Any, spec: Any) -> Iterator[str]:
    offered = list(inspect.signature(spec).parameters)
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in offered and parameter.default is inspect.Parameter.empty:
            yield f"{hook} has no argument {name!r}; it has: {', '.join(offered) or 'none'}"
