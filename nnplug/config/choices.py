"""The choices of every config group with their owners, for ``nnplug VERB --help``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigSource
from omegaconf import OmegaConf

from nnplug.catalog import Catalog
from nnplug.config.groups import CatalogSource, provider

RESOLVER = "nnplug.choices"
NO_CHOICES = ("hydra", "shared")
OWN = ("main", "nnplug")


def offer(catalog: Catalog) -> None:
    """Let a configuration (the template of the help) say ``${nnplug.choices:}``."""
    OmegaConf.register_new_resolver(RESOLVER, lambda: _listed(catalog), replace=True)


def _listed(catalog: Catalog) -> str:
    """A line a group; behind a choice stands the package that brings it, unless it is nnplug."""
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    packages = {provider(plugin): plugin.distribution for plugin in catalog.host.plugins}
    sources = hydra.config_loader.get_sources()
    lines = [
        f"{group}: {', '.join(sorted(_choices(group, sources, packages)))}"
        for group in sorted(hydra.list_all_config_groups())
        if group.partition("/")[0] not in NO_CHOICES
    ]
    return "\n".join(lines).replace("$", "$$")  # the help is a string.Template


def _choices(group: str, sources: list[ConfigSource], packages: Mapping[str, str]) -> Iterator[str]:
    seen: set[str] = set()
    for source in sources:
        for name in source.list(group, ObjectType.CONFIG) if source.is_group(group) else ():
            if name in seen:
                continue
            seen.add(name)
            owner = _owner(source, f"{group}/{name}", packages)
            yield name if owner in OWN else f"{name} ({owner})"


def _owner(source: ConfigSource, path: str, packages: Mapping[str, str]) -> str:
    if isinstance(source, CatalogSource):
        return source.owner(path).distribution
    return packages.get(source.provider, source.provider)
