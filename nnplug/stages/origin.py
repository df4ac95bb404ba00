"""Where a class came from: what a checkpoint says beside nnU-Net's own fields."""

from __future__ import annotations

from typing import Any

from nnplug import stock
from nnplug.catalog import Catalog, Entry
from nnplug.config.load import planner_target
from nnplug.config.settings import ModelSettings


def of(entry: Entry[Any], target: str) -> dict[str, str]:
    """Plugin, package, version and qualified name of ``"package.module:Class"``."""
    return {
        "plugin": entry.owner.name,
        "owner": entry.owner.distribution,
        "version": entry.owner.version,
        "class": target.replace(":", "."),
    }


def of_planning(
    settings: ModelSettings, catalog: Catalog, preprocessor: str
) -> dict[str, dict[str, str]]:
    """The same of the planner and of the preprocessor whose class the plans name."""
    planner = catalog.planners.get(settings.planner.name)
    target = planner_target(settings.planner, settings.network, catalog)
    found = {"planner": of(planner, target)}
    offered = {entry.spec.target.partition(":")[2]: entry for entry in catalog.preprocessors}
    if preprocessor in offered or stock.preprocessor(preprocessor):
        entry = offered.get(preprocessor) or catalog.preprocessors.get(preprocessor)
        found["preprocessor"] = of(entry, entry.spec.target)
    return found
