"""Fill a dataclass from a plain mapping, refusing what does not fit.

Hydra lets ``+trainer.foo=1`` pass and checks no ranges; this walk closes that. It is the same
for nnplug's own settings and for a plugin's options: field types are checked, unknown keys are
named with the nearest right one, null means the default, and a ``ValueError`` (or
``TypeError``) from ``__post_init__`` becomes an error about that key.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from nnplug.catalog import nearest
from nnplug.errors import ConfigError

T = TypeVar("T")


class UnknownKeyError(ConfigError):
    """A key that nothing reads."""


def build(cls: type[T], values: Mapping[Any, Any], key: str = "") -> T:
    """An instance of the dataclass ``cls`` from ``values``; ``key`` is where they stand.

    Raises:
        ConfigError: an unknown key, a missing one, a wrong type or a value out of range.
    """
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise unknown_key(_join(key, name), [_join(key, known) for known in fields])
    hints = get_type_hints(cls)
    arguments = {}
    for name, field in fields.items():
        value = values.get(name, "???")
        if value != "???" and (value is not None or _accepts_none(hints[name])):
            arguments[name] = _fit(hints[name], value, _join(key, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError("a value is missing", where=_join(key, name), hint=_hint(key, name))
    try:
        return cls(**arguments)
    except (ValueError, TypeError) as error:
        raise ConfigError(str(error), where=key or None) from error


def unknown_key(key: str, known: Sequence[str]) -> UnknownKeyError:
    """The error for a key that nothing reads."""
    near = nearest(key, known)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known keys: {', '.join(known)}"
    return UnknownKeyError("there is no such key", where=key, hint=hint)


def _accepts_none(hint: Any) -> bool:
    return hint is Any or type(None) in get_args(hint)


def _hint(key: str, name: str) -> str:
    return f"give it as {_join(key, name)}=VALUE"


def _join(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)


def _fit(hint: Any, value: Any, key: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return value
    if origin in (Union, types.UnionType):
        return _fit_union(arguments, value, key)
    if origin is Literal:
        if any(type(value) is type(choice) and value == choice for choice in arguments):
            return value
        raise _wrong_choice(value, [str(choice) for choice in arguments], key)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, Mapping):
            return build(hint, value, key)
        raise _wrong("keys and values", value, key)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        for member in hint:
            if value in (member, member.value, member.name):
                return member
        raise _wrong_choice(value, [str(member.value) for member in hint], key)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _fit_mapping(arguments, value, key)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return _fit_sequence(origin, arguments, value, key)
    return _fit_scalar(hint, value, key)


def _fit_union(choices: tuple[Any, ...], value: Any, key: str) -> Any:
    if value is None and type(None) in choices:
        return None
    failures = []
    for choice in choices:
        if choice is not type(None):
            try:
                return _fit(choice, value, key)
            except ConfigError as error:
                failures.append(error)
    raise failures[0]


def _fit_mapping(arguments: tuple[Any, ...], value: Any, key: str) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise _wrong("a mapping like {0: CT}", value, key)
    key_hint, value_hint = arguments or (Any, Any)
    return {
        _fit_key(key_hint, name, key): _fit(value_hint, item, _join(key, name))
        for name, item in value.items()
    }


def _fit_key(hint: Any, name: Any, key: str) -> Any:
    if hint is int and isinstance(name, str) and re.fullmatch("-?[0-9]+", name):
        return int(name)
    if hint is str and not isinstance(name, bool):
        return str(name)
    return _fit(hint, name, key)


def _fit_sequence(origin: Any, arguments: tuple[Any, ...], value: Any, key: str) -> Any:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _wrong("a list like [1, 2]", value, key)
    fixed = origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis)
    if fixed and len(value) != len(arguments):
        raise _wrong(f"a list of {len(arguments)} values", value, key)
    hints = arguments if fixed else (arguments[:1] or (Any,)) * len(value)
    items = [
        _fit(hint, item, f"{key}[{index}]")
        for index, (hint, item) in enumerate(zip(hints, value, strict=True))
    ]
    return tuple(items) if origin is tuple else items


def _fit_scalar(hint: Any, value: Any, key: str) -> Any:
    if hint is bool and isinstance(value, bool):
        return value
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint is str and isinstance(value, str):
        return value
    if hint is Path and isinstance(value, str | Path):
        return Path(value).expanduser()
    if hint is type(None) and value is None:
        return None
    names = {bool: "true or false", int: "a whole number", float: "a number", Path: "a path"}
    if hint is str:
        raise ConfigError(
            f"text is wanted here, not {value!r}",
            where=key,
            hint="put it in quotes, so that it is not read as a number or list: '\"...\"'",
        )
    raise _wrong(names.get(hint, getattr(hint, "__name__", str(hint))), value, key)


def _wrong(wanted: str, value: Any, key: str) -> ConfigError:
    return ConfigError(f"{wanted} is wanted here, not {value!r}", where=key)


def _wrong_choice(value: Any, choices: list[str], key: str) -> ConfigError:
    near = nearest(str(value), choices)
    lead = f"did you mean {near[0]}? " if near else ""
    return ConfigError(
        f"{value!r} can't be used", where=key, hint=f"{lead}one of: {', '.join(choices)}"
    )
