"""nnplug's own plugins pass the suites that it gives to others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nnplug.testing import ConverterContract, PluginContract, volumes
from nnplug.types import Case


class TestFormats(PluginContract):
    plugin = "nnplug.formats.plugin"


class TestNifti(ConverterContract):
    plugin = "nnplug.formats.plugin"
    converter = "nifti"

    def write(self, folder: Path, truth: Mapping[str, Case]) -> None:
        volumes.write_files(folder, truth, ".nii.gz")
