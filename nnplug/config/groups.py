"""The catalog's names as Hydra's config groups, each with its options' defaults, made on demand."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.errors import MissingConfigException
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import OmegaConf

from nnplug.catalog import Catalog, Shelf
from nnplug.plugins import Plugin

SCHEME = "catalog"
SEARCH = "sweep/search"
SWEEPER = {"override /hydra/sweeper@_global_.hydra.sweeper": "search"}


class CatalogSource(ConfigSource):
    """What plugins offer, below ``converter``, ``remap``, ``trainer``, ``planner`` and
    ``sweep/search``.
    """

    catalog: Catalog

    @staticmethod
    def scheme() -> str:
        """What its place in the search path begins with."""
        return SCHEME

    def available(self) -> bool:
        """There is always a catalog."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Whether this is one of the groups, or their root."""
        wanted = config_path.strip("/")
        return any(f"/{group}/".startswith(f"/{wanted}/") for group in ["", *self._shelves()])

    def is_config(self, config_path: str) -> bool:
        """Whether a plugin offers that."""
        group, name = _split(config_path)
        return group in self._shelves() and name in self._shelves()[group]

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """The groups, or the names in one."""
        group = config_path.strip("/")
        within = f"{group}/".lstrip("/")
        found: set[str] = set()
        if results_filter != ObjectType.CONFIG:
            inner = [
                name.removeprefix(within) for name in self._shelves() if name.startswith(within)
            ]
            found.update(name.removeprefix(within).partition("/")[0] for name in inner)
        if results_filter != ObjectType.GROUP and group in self._shelves():
            found.update(self._shelves()[group].names())
        return sorted(found)

    def owner(self, config_path: str) -> Plugin:
        """Who offers that."""
        group, name = _split(config_path)
        owner: Plugin = self._shelves()[group].first(name).owner
        return owner

    def load_config(self, config_path: str) -> ConfigResult:
        """The defaults of what is offered by that name."""
        if not self.is_config(config_path):
            raise MissingConfigException(f"there is no {config_path}", config_path)
        group, name = _split(config_path)
        entry = self._shelves()[group].first(name)
        options = option_defaults(getattr(entry.spec, "options", None))
        if group == "trainer":
            options = {**entry.spec.defaults, "options": options}
        if group == SEARCH:
            options |= {"constraints": None, "trial": None, "defaults": [SWEEPER, "_self_"]}
        return ConfigResult(
            provider=provider(entry.owner),
            path=f"{SCHEME}://",
            config=OmegaConf.create({"name": name, **options}),
            header={"package": None},
        )

    def _shelves(self) -> dict[str, Shelf[Any]]:
        catalog = self.catalog
        return {
            "converter": catalog.converters,
            "remap": catalog.remappers,
            "trainer": catalog.trainers,
            "planner": catalog.planners,
            SEARCH: catalog.searches,
        }


def provider(owner: Plugin) -> str:
    """What Hydra calls the source of a plugin's configs."""
    return f"plugin {owner.name}"


def _split(config_path: str) -> tuple[str, str]:
    group, _, name = config_path.strip("/").removesuffix(".yaml").rpartition("/")
    return group, name


def option_defaults(options: type | None) -> dict[str, Any]:
    """A dataclass's fields and defaults as YAML has them; ``???`` where a value is needed."""
    if options is None:
        return {}
    values = {}
    for field in fields(options):
        if not field.init:
            continue
        if field.default is not MISSING:
            values[field.name] = field.default
        elif field.default_factory is not MISSING:
            values[field.name] = field.default_factory()
        else:
            values[field.name] = "???"
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    """A default as YAML has it; an empty mapping is null, so that an override can fill it."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return list(value)
    return None if value == {} else value
