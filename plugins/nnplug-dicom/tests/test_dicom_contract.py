"""The contract suites of nnplug.testing, for this plugin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nnplug.testing import ConverterContract, PluginContract, volumes
from nnplug.types import Case


class TestPlugin(PluginContract):
    plugin = "nnplug_dicom.plugin"


class TestSeries(ConverterContract):
    plugin = "nnplug_dicom.plugin"
    converter = "dicom"
    dtypes = ("int16",)

    def write(self, folder: Path, truth: Mapping[str, Case]) -> None:
        volumes.write_series(folder, truth)
