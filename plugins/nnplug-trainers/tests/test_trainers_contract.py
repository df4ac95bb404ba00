"""The contract suites of nnplug.testing, for this plugin."""

from __future__ import annotations

import pytest

from nnplug.testing import PluginContract, TrainerContract


class TestPlugin(PluginContract):
    plugin = "nnplug_trainers.plugin"


@pytest.mark.slow
class TestQuick(TrainerContract):
    trainer = "quick"
