"""Names to specs: the only way from a word in a config to code.

Building the catalog imports no torch, no nnunet and no SimpleITK; a spec's target is imported
by :func:`load` when it is chosen.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass
from typing import Any, Generic, TypeVar

from nnplug import stock
from nnplug.errors import NnplugError, PluginError
from nnplug.plugins import BLOCK_VARIABLE, Host, Plugin, describe, without_collector
from nnplug.types import (
    ConverterSpec,
    PlannerSpec,
    PreprocessorSpec,
    RemapperSpec,
    SearchSpec,
    Spec,
    TrackerSpec,
    TrainerSpec,
    WriterSpec,
)

STRICT_VARIABLE = "NNPLUG_STRICT"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

S = TypeVar(
    "S",
    ConverterSpec,
    RemapperSpec,
    TrainerSpec,
    PlannerSpec,
    PreprocessorSpec,
    WriterSpec,
    TrackerSpec,
    SearchSpec,
)


@dataclass(frozen=True)
class Entry(Generic[S]):
    """A spec and the plugin that owns it."""

    spec: S
    owner: Plugin


class Shelf(Generic[S]):
    """The entries of one kind, by name.

    ``unlisted`` finds entries that can be had by their exact name, but are not on offer.
    """

    def __init__(
        self,
        kind: str,
        spec_type: type[S],
        host: Host,
        unlisted: Callable[[str], Entry[S] | None] | None = None,
    ) -> None:
        self.kind = kind
        self._spec_type: type[S] = spec_type
        self._host = host
        self._unlisted: Callable[[str], Entry[S] | None] | None = unlisted
        self._claims: dict[str, list[Entry[S]]] = {}

    def fill(self, hook: str) -> None:
        """Take what the plugins return from ``hook``; what can't be used marks its plugin."""
        for owner, spec in self._host.collect(hook):
            problem = (
                _complaint(spec)
                if isinstance(spec, self._spec_type)
                else f"must return {self._spec_type.__name__} objects, not {spec!r:.100}"
            )
            if problem:
                owner.problem = f"{hook} {problem}"
                continue
            self._claims.setdefault(spec.name, []).append(Entry(spec, owner))
            owner.offers.setdefault(self.kind, []).append(spec.name)
        for name, entries in self._claims.items():
            if len(entries) > 1:
                conflict = self._conflict(name)
                for entry in entries:
                    entry.owner.problem = conflict

    def __iter__(self) -> Iterator[Entry[S]]:
        return iter([entries[0] for entries in self._claims.values()])

    def __contains__(self, name: str) -> bool:
        return name in self._claims

    def first(self, name: str) -> Entry[S]:
        """The entry of a name on offer, or the first of several."""
        return self._claims[name][0]

    def names(self) -> list[str]:
        """Every name on offer, sorted."""
        return sorted(self._claims)

    def get(self, name: str) -> Entry[S]:
        """The entry of that name.

        Raises:
            PluginError: nobody offers it (near names and broken plugins are listed), or more
                than one plugin does.
        """
        entries = self._claims.get(name)
        if not entries and self._unlisted is not None:
            found = self._unlisted(name)
            entries = [found] if found is not None else None
        if not entries:
            raise PluginError(
                f"no {self.kind} is called {name!r}",
                hint=missing_hint(name, self.names(), self._host),
            )
        if len(entries) > 1:
            raise PluginError(
                self._conflict(name),
                hint=f"uninstall one of them, or keep it out with {BLOCK_VARIABLE}=NAME",
            )
        return entries[0]

    def _conflict(self, name: str) -> str:
        owners = ", ".join(dict.fromkeys(str(entry.owner) for entry in self._claims[name]))
        if "," not in owners:
            return f"{self.kind} {name!r} is offered twice by {owners}"
        return f"{self.kind} {name!r} is claimed by more than one plugin: {owners}"


@dataclass(frozen=True)
class Catalog:
    """Everything that can be chosen by name in this process."""

    host: Host
    converters: Shelf[ConverterSpec]
    remappers: Shelf[RemapperSpec]
    trainers: Shelf[TrainerSpec]
    planners: Shelf[PlannerSpec]
    preprocessors: Shelf[PreprocessorSpec]
    writers: Shelf[WriterSpec]
    trackers: Shelf[TrackerSpec]
    searches: Shelf[SearchSpec]
    config_paths: list[tuple[Plugin, str]] = field(default_factory=list)

    @classmethod
    @without_collector()
    def build(cls, host: Host | None = None, *, forgiving: bool = False) -> Catalog:
        """Ask every plugin what it offers.

        Raises:
            PluginError: ``NNPLUG_STRICT=1`` is set, a plugin is broken, and the caller is not
                ``forgiving``.
        """
        host = host or Host.load()
        converters = Shelf("converter", ConverterSpec, host)
        remappers = Shelf("remap", RemapperSpec, host)
        trainers = Shelf("trainer", TrainerSpec, host, _unlisted(stock.trainer))
        planners = Shelf("planner", PlannerSpec, host, _unlisted(stock.planner))
        preprocessors = Shelf("preprocessor", PreprocessorSpec, host, _unlisted(stock.preprocessor))
        writers = Shelf("format", WriterSpec, host)
        trackers = Shelf("tracker", TrackerSpec, host)
        searches = Shelf("search", SearchSpec, host)
        converters.fill("nnplug_converters")
        remappers.fill("nnplug_remappers")
        trainers.fill("nnplug_trainers")
        planners.fill("nnplug_planners")
        preprocessors.fill("nnplug_preprocessors")
        writers.fill("nnplug_writers")
        trackers.fill("nnplug_trackers")
        searches.fill("nnplug_searches")
        paths = _config_paths(host)
        if os.environ.get(STRICT_VARIABLE) == "1" and not forgiving:
            _refuse_broken(host)
        return cls(
            *(host, converters, remappers, trainers, planners, preprocessors),
            *(writers, trackers, searches, paths),
        )


def _refuse_broken(host: Host) -> None:
    broken = host.broken()
    if broken:
        raise PluginError(
            "; ".join(f"the plugin {plugin} is broken ({plugin.problem})" for plugin in broken),
            where=f"{STRICT_VARIABLE}=1",
            hint=f"mend it, or keep it out with {BLOCK_VARIABLE}={broken[0].name}",
        )


def _complaint(spec: Spec) -> str | None:
    """What is wrong with the fields of a spec, or None."""
    fields = [("name", NAME, spec.name), ("target", TARGET, spec.target)]
    if isinstance(spec, PlannerSpec) and spec.target_2d != "":
        fields.append(("target_2d", TARGET, spec.target_2d))
        fields = [field for field in fields if field[::2] != ("target", "")]
    for field_name, form, value in fields:
        if not isinstance(value, str) or not form.fullmatch(value):
            return f"gives a spec the {field_name} {value!r:.100}, which can't be used"
    options = getattr(spec, "options", None)
    if options is not None and not (isinstance(options, type) and is_dataclass(options)):
        return f"gives {spec.name!r} options that are no dataclass: {options!r:.100}"
    return None


def _unlisted(own: Callable[[str], S | None]) -> Callable[[str], Entry[S] | None]:
    """nnU-Net's own classes, by their names."""

    def find(name: str) -> Entry[S] | None:
        spec = own(name)
        owner = Plugin(stock.OWNER, stock.OWNER, stock.installed())
        return None if spec is None else Entry(spec, owner)

    return find


def _config_paths(host: Host) -> list[tuple[Plugin, str]]:
    paths = []
    for owner, path in host.collect("nnplug_config_paths"):
        if not isinstance(path, str) or not path.startswith("pkg://"):
            owner.problem = f"nnplug_config_paths must return 'pkg://...' strings, not {path!r}"
            continue
        try:
            importlib.import_module(path.removeprefix("pkg://").strip("/").replace("/", "."))
        except (Exception, SystemExit) as error:
            owner.problem = f"the config path {path} can't be used: {describe(error)}"
            continue
        owner.offers.setdefault("configs", []).append(path)
        paths.append((owner, path))
    return paths


def load(spec: Spec, owner: Plugin | str) -> Any:
    """Import a spec's target.

    Raises:
        PluginError: the target can't be imported, with the plugin that named it.
    """
    module, _, attribute = spec.target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"the target {spec.target!r} of {spec.name!r} can't be imported: {describe(error)}",
            where=f"plugin {owner}",
            hint="this is an error of the plugin or a missing dependency of it",
        ) from error


@contextmanager
def blamed(owner: Plugin | str, doing: str) -> Iterator[None]:
    """An error that a plugin did not mean becomes one with its name.

    Raises:
        PluginError: for anything but nnplug's own errors, the system's and lack of memory.
    """
    try:
        yield
    except (NnplugError, OSError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{doing}: {describe(error)}",
            where=f"plugin {owner}",
            hint="this is an error of the plugin; NNPLUG_TRACEBACK=1 shows where",
        ) from error


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """The names that ``name`` was probably meant to be, best first."""
    return difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)


def missing_hint(name: str, names: Iterable[str], host: Host) -> str:
    """What to tell a user whose name was not found."""
    names = list(names)
    near = nearest(name, names)
    lead = f"did you mean {' or '.join(near)}?" if near else "there is no similar name"
    parts = [lead, f"available: {', '.join(names) or 'none'}"]
    parts += [f"the plugin {plugin} is broken ({plugin.problem})" for plugin in host.broken()]
    parts += [f"the plugin {plugin} is blocked" for plugin in host.plugins if plugin.blocked]
    return "; ".join(parts)
