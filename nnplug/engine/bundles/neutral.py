"""Leave out where a model was trained: absolute paths become their last part."""

from __future__ import annotations

import io
import json
import pickle
import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

_START = r"(?:/|~/|[A-Za-z]:[\\/]|\\\\)"
_WHOLE = re.compile(rf"{_START}[^\n]*")
_QUOTED = re.compile(rf"(?<=')({_START}[^'\n]*)(?=')|(?<=\")({_START}[^\"\n]*)(?=\")")
_BARE = re.compile(r"(?<![\w.:/\\])(?:~?/[\w.+~@%-]+(?:/[\w.+~@%-]+)+|[A-Za-z]:\\[^\s'\",;)\]}]+)")


def neutral(value: Any) -> Any:
    """``value`` with every absolute path in its strings cut to its last part.

    Works through dicts, lists, tuples and sets and keeps their types; arrays stay as they are.
    A string may be a path, or a text (such as Python's ``repr``) with paths in it.
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return type(value)((neutral(key), neutral(item)) for key, item in value.items())  # type: ignore[call-arg]
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(neutral(item) for item in value)
    return value


def neutral_pickle(value: Any) -> bytes:
    """:func:`neutral` as a pickle that numpy 1 and numpy 2 can read."""
    stream = io.BytesIO()
    # Protocol 3 names a global in plain text: "c", module, newline.
    pickle.dump(neutral(value), stream, protocol=3)
    return stream.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")


def neutral_json(text: str) -> bytes:
    """A JSON text with :func:`neutral` values, indented."""
    return (json.dumps(neutral(json.loads(text)), indent=2) + "\n").encode()


def _text(text: str) -> str:
    if _WHOLE.fullmatch(text):
        return _last(text)
    text = _QUOTED.sub(lambda found: _last(found[0]), text)
    return _BARE.sub(lambda found: _last(found[0]), text)


def _last(path: str) -> str:
    windows = "\\" in path or not path.startswith(("/", "~"))
    return (PureWindowsPath(path) if windows else PurePosixPath(path)).name
