"""What this plugin offers; light to import."""

from __future__ import annotations

from nnplug.hookspecs import hookimpl
from nnplug.types import RemapperSpec
from nnplug_labels import options

OFFERED = (
    ("table", "values:Table", "label values by a table that has to name every value"),
    ("merge", "values:Merge", "several values become one"),
    ("drop", "values:Drop", "some values become background, higher ones move down"),
    ("keep", "values:Keep", "some values become 1, 2, ..., all others background"),
    ("binarize", "values:Binarize", "foreground against background"),
    ("by_name", "values:ByName", "labels by the names of the source's values"),
    ("largest_component", "components:LargestComponent", "only the largest part of each label"),
    ("minimum_volume", "components:MinimumVolume", "parts of a label below a volume are dropped"),
    ("fill_holes", "holes:FillHoles", "background inside a label becomes that label"),
)


@hookimpl
def nnplug_remappers() -> list[RemapperSpec]:
    """The remappers."""
    return [
        RemapperSpec(
            name=name,
            target=f"nnplug_labels.{target}Remapper",
            options=getattr(options, f"{target.partition(':')[2]}Options"),
            summary=summary,
        )
        for name, target, summary in OFFERED
    ]
