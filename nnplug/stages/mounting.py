"""The trainer of a model that is there: its class on offer, its options as they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnplug import stock
from nnplug.catalog import Catalog
from nnplug.config.build import build
from nnplug.errors import ConfigError, PluginError
from nnplug.types import TrainerSpec


def mount(name: str, catalog: Catalog) -> TrainerSpec | None:
    """Let the engine mount what plugins offer, once a model asks for it by name.

    Returns:
        What is known of the trainer class of that name; None if nobody offers it.
    """
    from nnplug.engine import mounting

    mounting.offer(catalog)
    specs = (entry.spec for entry in catalog.trainers)
    offered = next((spec for spec in specs if name in _classes(spec)), None)
    return offered or stock.trainer(name)


def _classes(spec: TrainerSpec) -> list[str]:
    return [target.partition(":")[2] for target in (spec.target, spec.cascade or "")]


def trained_options(
    spec: TrainerSpec | None, record: Mapping[str, Any], where: str
) -> object | None:
    """The trainer's own options, as nnplug's record in a checkpoint has them.

    Raises:
        PluginError: the installed plugin doesn't know them.
    """
    stored = record.get("options")
    if spec is None or spec.options is None or not isinstance(stored, Mapping):
        return None
    try:
        options: object = build(spec.options, stored, "options")
    except ConfigError as error:
        raise PluginError(
            f"the model's options don't fit the installed plugin: {error.problem}",
            where=where,
            hint=f"it was trained with {record.get('owner')} {record.get('version')}",
        ) from error
    return options
