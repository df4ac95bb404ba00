"""What this plugin offers; light to import."""

from __future__ import annotations

from nnplug.hookspecs import hookimpl
from nnplug.types import RemapperSpec
from nnplug_labels.options import TableOptions


@hookimpl
def nnplug_remappers() -> list[RemapperSpec]:
    """The remapper ``table``."""
    return [
        RemapperSpec(
            name="table",
            target="nnplug_labels.table:TableRemapper",
            options=TableOptions,
            summary="label values by a table that has to name every value",
        )
    ]
