"""The contract suites of nnplug.testing, for this plugin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nnplug.testing import ConverterContract, PluginContract, volumes
from nnplug.types import Case


class TestPlugin(PluginContract):
    plugin = "nnplug_mha.plugin"


class TestMetaImage(ConverterContract):
    plugin = "nnplug_mha.plugin"
    converter = "mha"

    def write(self, folder: Path, truth: Mapping[str, Case]) -> None:
        volumes.write_files(folder, truth, ".mha")


class TestNrrd(ConverterContract):
    plugin = "nnplug_mha.plugin"
    converter = "mha"

    def write(self, folder: Path, truth: Mapping[str, Case]) -> None:
        volumes.write_files(folder, truth, ".nrrd")
