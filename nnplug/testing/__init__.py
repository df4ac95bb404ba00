"""The kit for plugin authors: inheritable test suites and pytest fixtures.

::

    from nnplug.testing import ConverterContract, PluginContract

    class TestPlugin(PluginContract):
        plugin = "my_package.plugin"

Fixtures come with ``pytest_plugins = ["nnplug.testing.fixtures"]`` in ``conftest.py``. Nothing in
nnplug imports this package.
"""

from __future__ import annotations

import pytest

_SUITES = ("plugin", "converter", "remapper", "trainer", "planner", "tracker")
pytest.register_assert_rewrite(*(f"nnplug.testing.{name}" for name in _SUITES))

from nnplug.testing.converter import ConverterContract  # noqa: E402 - after the line above
from nnplug.testing.planner import PlannerContract  # noqa: E402
from nnplug.testing.plugin import PluginContract  # noqa: E402
from nnplug.testing.remapper import RemapperContract  # noqa: E402
from nnplug.testing.tracker import TrackerContract  # noqa: E402
from nnplug.testing.trainer import TrainerContract  # noqa: E402

__all__ = [
    "ConverterContract",
    "PlannerContract",
    "PluginContract",
    "RemapperContract",
    "TrackerContract",
    "TrainerContract",
]
