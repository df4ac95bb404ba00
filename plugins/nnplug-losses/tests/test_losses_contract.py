"""The contract suites of nnplug.testing, for this plugin."""

from __future__ import annotations

import pytest

from nnplug.testing import PluginContract, TrainerContract


class TestPlugin(PluginContract):
    plugin = "nnplug_losses.plugin"


@pytest.mark.slow
class TestClDice(TrainerContract):
    trainer = "cldice"
    options = ("trainer.options.iterations=3", "trainer.options.weight=0.5")


@pytest.mark.slow
class TestBoundary(TrainerContract):
    trainer = "boundary"
    options = ("trainer.options.growth=0.1",)


@pytest.mark.slow
class TestFocalTversky(TrainerContract):
    trainer = "focal_tversky"
    options = ("trainer.options.ce_weight=0.5",)


@pytest.mark.slow
class TestDiceTopK(TrainerContract):
    trainer = "dice_topk"
    options = ("trainer.options.k=20",)
