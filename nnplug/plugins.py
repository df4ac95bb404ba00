"""Finding plugins, and keeping one that misbehaves from spoiling the rest.

Each entry point of the group ``nnplug`` is loaded by itself, in the order of the names; what
goes wrong is kept with the plugin's name. ``NNPLUG_BLOCK=a,b`` keeps plugins from being
imported at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from nnplug import __version__, builtin, hookspecs
from nnplug.formats import plugin as formats

GROUP = "nnplug"
BLOCK_VARIABLE = "NNPLUG_BLOCK"


@dataclass
class Plugin:
    """One plugin and how it fares.

    Attributes:
        name: the entry point's name.
        distribution: the package that brought it.
        version: that package's version.
        problem: why (part of) it can't be used; None if all is well.
        blocked: the user keeps it out.
        offers: what the catalog took from it, e.g. ``{"converter": ["dicom"]}``.
    """

    name: str
    distribution: str
    version: str
    problem: str | None = None
    blocked: bool = False
    offers: dict[str, list[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version})"


class Host:
    """The loaded plugins of this process."""

    def __init__(self) -> None:
        self.plugins: list[Plugin] = []
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._modules: dict[str, object] = {}

    @classmethod
    def load(
        cls,
        entries: Iterable[EntryPoint] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> Host:
        """Load the built-in plugins, then every entry point that is not blocked."""
        host = cls()
        host._add(Plugin("builtin", "nnplug", __version__), lambda: builtin)
        host._add(Plugin("formats", "nnplug", __version__), lambda: formats)
        blocked = {name.strip() for name in environ.get(BLOCK_VARIABLE, "").split(",")}
        found = entry_points(group=GROUP) if entries is None else entries
        for entry in sorted(found, key=lambda entry: (entry.name, entry.value)):
            distribution = entry.dist.name if entry.dist else entry.module
            plugin = Plugin(entry.name, distribution, entry.dist.version if entry.dist else "?")
            if {plugin.name, plugin.distribution} & blocked:
                plugin.blocked = True
                host.plugins.append(plugin)
            else:
                host._add(plugin, entry.load)
        return host

    def _add(self, plugin: Plugin, load: Callable[[], object]) -> None:
        self.plugins.append(plugin)
        if plugin.name in self._modules:
            plugin.problem = f"the name {plugin.name!r} is taken by another plugin"
            return
        module = None
        try:
            module = load()
            if self._manager.is_registered(module):
                plugin.problem = f"{self._manager.get_name(module)!r} has already loaded its module"
                return
            self._manager.register(module, plugin.name)
            self._manager.check_pending()
        except (Exception, SystemExit) as error:
            plugin.problem = describe(error)
            if module is not None and self._manager.is_registered(module):
                self._manager.unregister(module)
            return
        self._modules[plugin.name] = module

    def collect(self, hook: str, **arguments: Any) -> list[tuple[Plugin, Any]]:
        """Call one hook, plugin by plugin; a plugin that raises is marked, the rest go on."""
        results: list[tuple[Plugin, Any]] = []
        for plugin in self.plugins:
            module = self._modules.get(plugin.name)
            if module is None or plugin.problem:
                continue
            others = [other for other in self._modules.values() if other is not module]
            try:
                answers = self._manager.subset_hook_caller(hook, others)(**arguments)
                results.extend((plugin, item) for answer in answers for item in answer)
            except (Exception, SystemExit) as error:
                plugin.problem = f"{hook}: {describe(error)}"
        return results

    def broken(self) -> list[Plugin]:
        """Plugins of which something can't be used."""
        return [plugin for plugin in self.plugins if plugin.problem]


def describe(error: BaseException) -> str:
    """An exception in one line: its type and what it says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
