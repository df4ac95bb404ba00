"""The trainer of a model that is there: its class mounted, its options as they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnplug import stock
from nnplug.catalog import Catalog
from nnplug.config.build import build
from nnplug.errors import ConfigError, PluginError
from nnplug.types import TrainerSpec


def mount(name: str, catalog: Catalog) -> TrainerSpec | None:
    """Let nnU-Net find the trainer class of that name, if it is a plugin's.

    Returns:
        What is known of it; None if nobody offers it.

    Raises:
        PluginError: the class can't be imported, or is no trainer.
    """
    from nnplug.engine import trainers

    for entry in catalog.trainers:
        spec = entry.spec
        if spec.target.partition(":")[2] == name:
            trainers.mount(spec.target, str(entry.owner), data_parallel=spec.data_parallel)
            return spec
    return stock.trainer(name)


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
