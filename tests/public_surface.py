"""The names and signatures that plugins and users rely on, as one text.

``python tests/public_surface.py`` records them anew in ``public_surface.txt``: do it when a change
is meant, read the difference, raise ``nnplug.hookspecs.API`` if plugins can see it, and say it in
the changelog.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

RECORD = Path(__file__).with_suffix(".txt")
MODULES = (
    *("nnplug", "nnplug.types", "nnplug.runs", "nnplug.search", "nnplug.hookspecs"),
    *("nnplug.errors", "nnplug.layout", "nnplug.survey", "nnplug.rois", "nnplug.testing"),
    *("nnplug.testing.fixtures", "nnplug.testing.volumes", "nnplug.formats.itk"),
    "nnplug.formats.nrrd",
)


def surface() -> str:
    """Every public name of :data:`MODULES`, a line each."""
    return "\n\n".join(
        "\n".join([f"[{name}]", *_lines(importlib.import_module(name))]) for name in MODULES
    )


def _lines(module: ModuleType) -> Iterator[str]:
    for name in sorted(_public(module)):
        yield from _told(name, getattr(module, name))


def _public(module: ModuleType) -> list[str]:
    """What ``__all__`` lists; else what the module, or its stub, defines or hands on itself."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return list(listed)
    source = Path(str(module.__file__))
    stub = source.with_suffix(".pyi")
    tree = ast.parse((stub if stub.is_file() else source).read_text(encoding="utf-8"))
    return [name for node in tree.body for name in _defined(node) if not name.startswith("_")]


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.ImportFrom):
        return [alias.name for alias in node.names if alias.asname == alias.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _told(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        yield f"class {name}{f'({bases})' if bases else ''}: {_signature(value)}"
        for member in sorted({*vars(value), *inspect.get_annotations(value)}):
            if not member.startswith("_") and not _is_field(value, member):
                item = _unwrapped(vars(value).get(member))
                yield from (f"    {line}" for line in _told(member, item))
    elif isinstance(value, property):
        yield f"{name}: property"
    elif inspect.isroutine(value) or hasattr(value, "__wrapped__"):
        since = f"  # since {value.since}" if hasattr(value, "since") else ""
        yield f"{name}{_signature(value)}{since}"
    else:
        yield f"{name} = {value}" if isinstance(value, int | str) else name


def _is_field(cls: type, member: str) -> bool:
    """Whether the class's signature tells of it already."""
    return dataclasses.is_dataclass(cls) and member in {
        field.name for field in dataclasses.fields(cls)
    }


def _unwrapped(item: Any) -> Any:
    """The function below a staticmethod, classmethod or pytest fixture."""
    return getattr(item, "__func__", item)


def _signature(value: Any) -> str:
    try:
        text = str(inspect.signature(value))
    except (TypeError, ValueError):
        return "(...)"
    return re.sub(r" at 0x[0-9a-f]+", "", text)


if __name__ == "__main__":
    RECORD.write_text(surface() + "\n", encoding="utf-8")
