"""Plugins in isolation: nnplug's own and the ones under test, whatever else is installed."""

from __future__ import annotations

import importlib
from functools import partial

from nnplug.catalog import Catalog
from nnplug.plugins import Host, Plugin

OWN = {"nnplug.builtin": "builtin", "nnplug.formats.plugin": "formats"}


def isolated(*plugins: str | object) -> Catalog:
    """The catalog of nnplug's own plugins and these, modules' names or objects with hooks."""
    host = Host.load([])
    for plugin in plugins:
        if plugin in OWN:
            continue
        if isinstance(plugin, str):
            owner = Plugin(plugin, plugin.partition(".")[0], "under test")
            host.add(owner, partial(importlib.import_module, plugin))
        else:
            host.add(Plugin(f"plugin at {id(plugin):x}", "objects", "?"), partial(_same, plugin))
    return Catalog.build(host, forgiving=True)


def _same(plugin: object) -> object:
    return plugin


def subject(plugin: str) -> tuple[Catalog, Plugin]:
    """That catalog and how the plugin under test fares in it."""
    catalog = isolated(plugin)
    name = OWN.get(plugin, plugin)
    return catalog, next(one for one in catalog.host.plugins if one.name == name)
