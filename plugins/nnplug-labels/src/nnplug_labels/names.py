"""Names of label values: from a file, and which of them are meant."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

ROW = re.compile(r"(\d+)\s*([\s,;])\s*(.+)")
QUOTED = re.compile(r'"([^"]+)"')
COLOURS = re.compile(r"(\s+\d+){4}$")


def names_of(given: Mapping[int, str] | str) -> dict[int, str]:
    """Value to name, as given or from a file; see :class:`nnplug_labels.options.ByNameOptions`.

    Raises:
        ValueError: the file is missing, or no value and name can be found in it.
    """
    return _read(given) if isinstance(given, str) else dict(given)


def matching(names: Mapping[int, str], keep: Mapping[str, Sequence[str]]) -> dict[int, str]:
    """Value to the label that keeps it.

    Raises:
        ValueError: a pattern fits no name, or two labels want one value.
    """
    if not names or not keep:
        raise ValueError("names and keep need entries: names={1: liver}, keep={organ: [liver]}")
    chosen: dict[int, str] = {}
    for label, patterns in keep.items():
        for pattern in patterns:
            found = [value for value, name in names.items() if _fits(name, pattern)]
            if not found:
                listed = ", ".join(sorted(names.values())[:20])
                raise ValueError(f"keep: no name fits {pattern!r}; there is {listed}")
            for value in found:
                if chosen.setdefault(value, label) != label:
                    raise ValueError(
                        f"keep: {names[value]!r} fits two labels, {chosen[value]} and {label}"
                    )
    return chosen


def _read(file: str) -> dict[int, str]:
    path = Path(file).expanduser()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"names can't be read from {file}: {error}") from error
    pairs = _from_json(text, file) if path.suffix.lower() == ".json" else _from_lines(text)
    names = dict(pairs)
    if not names:
        raise ValueError(f"there is no line with a value and a name in {file}")
    if len(names) < len(pairs):
        raise ValueError(f"a value stands twice in {file}")
    return names


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name.strip().casefold(), pattern.strip().casefold())


def _from_json(text: str, file: str) -> list[tuple[int, str]]:
    try:
        content = json.loads(text)
        pairs = [
            (name, value) if isinstance(name, int) else (int(value), str(name))
            for value, name in content.items()
        ]
        return [(int(value), str(name)) for value, name in pairs]
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"{file} is not a JSON object of values and names: {error}") from error


def _from_lines(text: str) -> list[tuple[int, str]]:
    """``1,liver``, Slicer's ``1 liver 221 130 101 255``, ITK-SNAP's ``1 255 0 0 1 1 1 "liver"``."""
    pairs = []
    for line in text.splitlines():
        row = ROW.fullmatch(line.strip())
        if row is None:
            continue
        separator, rest = row[2], row[3]
        quoted = QUOTED.search(rest)
        plain = rest.split(separator)[0] if separator in ",;\t" else COLOURS.sub("", rest)
        pairs.append((int(row[1]), quoted[1] if quoted else plain.strip()))
    return pairs
