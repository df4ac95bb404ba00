"""The contract suites of nnplug.testing, for this plugin."""

from __future__ import annotations

from nnplug.testing import PluginContract, RemapperContract

PLUGIN = "nnplug_labels.plugin"


class TestPlugin(PluginContract):
    plugin = PLUGIN


class TestTable(RemapperContract):
    plugin, remapper = PLUGIN, "table"
    options = {"table": {0: 0, 7: 1, 8: 2}}  # noqa: RUF012 - nobody changes it
    values = (0, 7, 8)
    invertible = True


class TestMerge(RemapperContract):
    plugin, remapper = PLUGIN, "merge"
    options = {"merge": {1: [1, 2], 2: [9]}}  # noqa: RUF012
    values = (0, 1, 2, 9)


class TestDrop(RemapperContract):
    plugin, remapper = PLUGIN, "drop"
    options = {"values": [2]}  # noqa: RUF012
    values = (0, 1, 2, 3)


class TestKeep(RemapperContract):
    plugin, remapper = PLUGIN, "keep"
    options = {"values": [3, 5]}  # noqa: RUF012
    values = (0, 1, 3, 5)


class TestBinarize(RemapperContract):
    plugin, remapper = PLUGIN, "binarize"
    values = (0, 1, 2, 200)


class TestLargestComponent(RemapperContract):
    plugin, remapper = PLUGIN, "largest_component"


class TestMinimumVolume(RemapperContract):
    plugin, remapper = PLUGIN, "minimum_volume"
    options = {"mm3": 20}  # noqa: RUF012


class TestFillHoles(RemapperContract):
    plugin, remapper = PLUGIN, "fill_holes"
