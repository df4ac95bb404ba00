"""What every plugin has to keep: light to import, right in its hooks, true in its names."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pickle
import subprocess
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from nnplug import _registration
from nnplug.catalog import Entry, load
from nnplug.testing.host import subject

HEAVY = {"torch", "nnunet", "SimpleITK", "numpy", "scipy", "pandas", "skimage", "sklearn"}
HEAVY |= {"batchgenerators", "pydicom", "PIL", "matplotlib", "hydra", "omegaconf"}
GROUPS = (
    *("converters", "remappers", "trainers", "planners", "preprocessors", "writers"),
    *("trackers", "searches"),
)
CONFIG_GROUPS = {"converter": "converters", "remap": "remappers", "trainer": "trainers"}
CONFIG_GROUPS |= {"planner": "planners"}
TARGETS = ("target", "target_2d", "cascade", "survey", "identifiers")


class PluginContract:
    """Inherit and name the module that the entry point names.

    Attributes:
        plugin: e.g. ``"my_package.plugin"``.
    """

    plugin: str

    def _entries(self) -> list[Entry[Any]]:
        catalog, mine = subject(self.plugin)
        shelves = [getattr(catalog, group) for group in GROUPS]
        return [entry for shelf in shelves for entry in shelf if entry.owner is mine]

    def test_importing_it_loads_nothing_heavy(self) -> None:
        """Every ``nnplug`` command imports every plugin."""
        code = f"import sys, {self.plugin}; print(*{{n.partition('.')[0] for n in sys.modules}})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert not HEAVY & set(done.stdout.split()), "import these where they are needed"

    def test_importing_it_prints_nothing(self) -> None:
        """``nnplug plugins --json`` and pipes would carry it."""
        code = f"import {self.plugin}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("", "")

    def test_its_hooks_have_the_right_names_and_arguments(self) -> None:
        """Each is a hook of nnplug, marked, no wrapper, and takes arguments that exist."""
        assert _registration.implementations(
            importlib.import_module(self.plugin), _registration.hooks()
        )

    def test_nnplug_accepts_what_its_hooks_return(self) -> None:
        """Nothing raises, every spec is of the right type, and no name is taken."""
        _, mine = subject(self.plugin)
        assert mine.problem is None

    def test_its_hooks_return_lists(self) -> None:
        """A text would be taken letter by letter, a generator could be read once."""
        module = importlib.import_module(self.plugin)
        for name, spec in _registration.hooks().items():
            if hasattr(module, name) and not inspect.signature(spec).parameters:
                assert isinstance(getattr(module, name)(), list | tuple), name

    def test_its_hooks_return_the_same_again(self) -> None:
        """The catalog is built in every process."""
        first = [entry.spec for entry in self._entries()]
        assert first == [entry.spec for entry in self._entries()]

    def test_every_target_can_be_imported(self) -> None:
        """All that a spec names; the plugin's dependencies have to be installed."""
        for entry in self._entries():
            for name in TARGETS:
                target = getattr(entry.spec, name, "")
                if target:
                    found = load(dataclasses.replace(entry.spec, target=target), entry.owner)
                    assert callable(found), target

    def test_options_are_plain_frozen_data(self) -> None:
        """They travel to workers and into records, and nobody may change them on the way."""
        for entry in self._entries():
            options = getattr(entry.spec, "options", None)
            if options is None:
                continue
            assert options.__dataclass_params__.frozen, f"{options.__name__} is not frozen"
            assert pickle.loads(pickle.dumps(options)) is options

    def test_every_spec_says_what_it_is(self) -> None:
        """A line for ``nnplug plugins``."""
        for entry in self._entries():
            summary = entry.spec.summary
            assert len(summary.splitlines()) == 1, entry.spec.name

    def test_names_in_its_yaml_are_names_of_specs(self) -> None:
        """``trainer/mine.yaml`` says ``name: mine``, and somebody offers that."""
        import yaml

        catalog, mine = subject(self.plugin)
        for owner, path in catalog.config_paths:
            if owner is not mine:
                continue
            root = files(path.removeprefix("pkg://").replace("/", "."))
            for group, shelf in CONFIG_GROUPS.items():
                for file in _yaml_files(root.joinpath(group)):
                    content = yaml.safe_load(file.read_text(encoding="utf-8"))
                    name = content.get("name")
                    assert name in getattr(catalog, shelf).names(), f"{group}/{file.name}: {name}"


def _yaml_files(folder: Traversable) -> list[Traversable]:
    if not folder.is_dir():
        return []
    return [file for file in folder.iterdir() if file.name.endswith(".yaml")]
