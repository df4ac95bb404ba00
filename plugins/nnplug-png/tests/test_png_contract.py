"""The contract suites of nnplug.testing, for this plugin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nnplug.testing import ConverterContract, PluginContract, volumes
from nnplug.types import Case


class TestPlugin(PluginContract):
    plugin = "nnplug_png.plugin"


class TestStacks(ConverterContract):
    plugin = "nnplug_png.plugin"
    converter = "png"
    options = {"spacing": list(volumes.SPACING)}  # noqa: RUF012 - nobody changes it
    dtypes = ("uint8", "uint16")
    stores_direction = False

    def write(self, folder: Path, truth: Mapping[str, Case]) -> None:
        volumes.write_stacks(folder, truth)
