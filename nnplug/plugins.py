"""Finding plugins, and keeping one that misbehaves from spoiling the rest.

Each entry point of the group ``nnplug`` is loaded by itself, in the order of the names, within a
time limit; what goes wrong is kept with the plugin's name. ``NNPLUG_BLOCK=a,b`` keeps plugins
from being imported at all, ``NNPLUG_BLOCK=*`` all that are installed.
"""

from __future__ import annotations

import gc
import os
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from nnplug import __version__, builtin
from nnplug._registration import Implementation, hooks, implementations
from nnplug._timelimit import TooLong, time_limit
from nnplug.errors import Interrupted, NnplugError
from nnplug.formats import plugin as formats

GROUP = "nnplug"
BLOCK_VARIABLE = "NNPLUG_BLOCK"
BLOCK_ALL = "*"
SECONDS_VARIABLE = "NNPLUG_PLUGIN_SECONDS"
SECONDS = 30.0


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
        seconds: what importing it and asking it for its offers took.
    """

    name: str
    distribution: str
    version: str
    problem: str | None = None
    blocked: bool = False
    offers: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version})"


class Host:
    """The loaded plugins of this process."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.plugins: list[Plugin] = []
        self._seconds = seconds
        self._hooks = hooks()
        self._modules: dict[int, str] = {}
        self._calls: dict[str, list[tuple[Plugin, Implementation]]] = {}
        self._names: set[str] = set()
        self._resting: set[str] = set()

    @classmethod
    def load(
        cls,
        entries: Iterable[EntryPoint] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> Host:
        """Load the built-in plugins, then every entry point that is not blocked."""
        host = cls(_seconds(environ))
        host.add(Plugin("builtin", "nnplug", __version__), lambda: builtin)
        host.add(Plugin("formats", "nnplug", __version__), lambda: formats)
        blocked = {name.strip() for name in environ.get(BLOCK_VARIABLE, "").split(",")}
        found = entry_points(group=GROUP) if entries is None else entries
        for entry in sorted(found, key=lambda entry: (entry.name, entry.value)):
            plugin = Plugin(entry.name, *_origin(entry))
            if {plugin.name, plugin.distribution, BLOCK_ALL} & blocked:
                plugin.blocked = True
                host.plugins.append(plugin)
            else:
                host.add(plugin, entry.load)
        return host

    def add(self, plugin: Plugin, load: Callable[[], object]) -> None:
        """Take in what ``load`` returns, a module or object with hook functions."""
        self.plugins.append(plugin)
        if plugin.name in self._names:
            plugin.problem = f"the name {plugin.name!r} is taken by another plugin"
            return
        self._names.add(plugin.name)
        found: dict[str, list[Implementation]] = {}
        with self._guarded(plugin):
            module = load()
            found = implementations(module, self._hooks)
            other = self._modules.setdefault(id(module), plugin.name)
            if other != plugin.name:
                plugin.problem = f"{other!r} has already loaded its module"
                return
        for hook, functions in found.items():
            self._calls.setdefault(hook, []).extend((plugin, function) for function in functions)
            replacement = self._hooks[hook].deprecated
            if replacement:
                said = f"plugin {plugin}: the hook {hook} is deprecated: {replacement}"
                warnings.warn(said, FutureWarning, stacklevel=2)

    def collect(self, hook: str, **arguments: Any) -> list[tuple[Plugin, Any]]:
        """Call one hook, plugin by plugin; one that raises is marked and rests from then on."""
        results: list[tuple[Plugin, Any]] = []
        for plugin, call in self.calls(hook):
            with self._guarded(plugin, f"{hook}: "):
                answer = call(**arguments)
                if isinstance(answer, str):
                    raise TypeError(f"a list is wanted, not the text {answer!r}")
                results.extend([(plugin, item) for item in answer])
        return results

    def calls(self, hook: str) -> list[tuple[Plugin, Implementation]]:
        """Each usable plugin's implementations of one hook; they take its arguments by name.

        Those marked ``tryfirst`` come first and those marked ``trylast`` last, each in the order
        of the plugins' names.
        """
        found = self._calls.get(hook, ())
        usable = [call for call in found if call[0].name not in self._resting]
        return sorted(usable, key=lambda call: call[1].place)

    @contextmanager
    def _guarded(self, plugin: Plugin, doing: str = "") -> Iterator[None]:
        """Keep what goes wrong, and the time, with the plugin."""
        start = time.perf_counter()
        try:
            with time_limit(self._seconds):
                yield
        except Interrupted:
            raise
        except (Exception, SystemExit, TooLong) as error:
            plugin.problem = doing + describe(error)
            self._resting.add(plugin.name)
        finally:
            plugin.seconds += time.perf_counter() - start

    def broken(self) -> list[Plugin]:
        """Plugins of which something can't be used."""
        return [plugin for plugin in self.plugins if plugin.problem]


@contextmanager
def without_collector() -> Iterator[None]:
    """What plugins offer stays; the garbage collector would walk it again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _origin(entry: EntryPoint) -> tuple[str, str]:
    """The name and version of its package, without parsing all of the metadata."""
    if entry.dist is None:
        return entry.module, "?"
    text = getattr(entry.dist, "read_text", str)("METADATA") or ""
    name, version = (re.search(rf"^{key}: (.+)$", text, re.M) for key in ("Name", "Version"))
    if name and version:
        return name[1], version[1]
    return entry.dist.name, entry.dist.version


def _seconds(environ: Mapping[str, str]) -> float:
    try:
        return float(environ.get(SECONDS_VARIABLE, SECONDS))
    except ValueError:
        return SECONDS


def describe(error: BaseException) -> str:
    """An exception in one line: what it says, and its type unless it is nnplug's own."""
    if isinstance(error, NnplugError):
        return error.problem
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
