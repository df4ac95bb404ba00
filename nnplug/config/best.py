"""Composed configuration to the settings of ``best``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnplug.catalog import Catalog
from nnplug.config.build import build
from nnplug.config.load import _prepared, _task
from nnplug.config.settings import Best, Convert
from nnplug.errors import ConfigError


def best_settings(config: Mapping[str, Any], catalog: Catalog) -> Best:
    """Settings of ``best``.

    Raises:
        ConfigError: a key, type or value can't be used.
        PluginError: a trainer, converter or remapper that is not there.
    """
    values = _prepared(config, catalog)
    task = _task(values.pop("dataset", None) or {})
    build(Convert, values.pop("convert", None) or {}, "convert")
    for unused in ("converter", "remap", "memory_bound"):
        values.pop(unused)
    network = values.pop("network", None)
    if network is not None:
        raise ConfigError(
            "best compares several", where="network", hint=f"networks=[{network}, ...]"
        )
    if task is None:
        raise ConfigError("which dataset?", hint="give dataset=NAME")
    return build(Best, {**values, "task": task})
