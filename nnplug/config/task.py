"""A verb's task, called with its configuration; no Hydra here, which takes long to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nnplug.catalog import Catalog
from nnplug.errors import StorageError

Task = Callable[[Mapping[str, Any], Catalog], Any]


def call(task: Task, values: Mapping[str, Any], catalog: Catalog) -> Any:
    """Call ``task``; what the operating system refuses is a StorageError."""
    try:
        return task(values, catalog)
    except OSError as error:
        raise StorageError(
            (error.strerror or str(error)).lower(),
            where=str(error.filename) if error.filename else None,
            hint="NNPLUG_TRACEBACK=1 shows what wanted it",
        ) from error
