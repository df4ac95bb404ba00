"""The contract suite of nnplug.testing, for this plugin."""

from __future__ import annotations

from nnplug.testing import PluginContract


class TestPlugin(PluginContract):
    plugin = "nnplug_optuna.plugin"
