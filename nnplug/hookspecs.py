"""Every hook that a plugin can implement.

A plugin is a module (or object) named by an entry point of the group ``nnplug``::

    [project.entry-points.nnplug]
    mine = "my_package.plugin"

Functions in it that are marked with :data:`hookimpl` are called; importing that module must
load nothing heavy. All hooks collect: what every plugin returns is put together, and a config
selects by name, so the order of installation never decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pluggy

from nnplug.types import ConverterSpec, RemapperSpec, TrainerSpec, WriterSpec

PROJECT = "nnplug"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# --- before the configuration is composed -------------------------------------------------


@hookspec
def nnplug_config_paths() -> Iterable[str]:
    """Folders of Hydra config groups, e.g. ``["pkg://my_package.conf"]``.

    Called before every composition. A path that does not exist marks the plugin as broken.
    """
    raise NotImplementedError


# --- when the catalog is built ------------------------------------------------------------


@hookspec
def nnplug_converters() -> Iterable[ConverterSpec]:
    """Formats that this plugin reads. A name that another plugin has is an error."""
    raise NotImplementedError


@hookspec
def nnplug_remappers() -> Iterable[RemapperSpec]:
    """Label remappers of this plugin. A name that another plugin has is an error.

    Those that work on voxels are offered for the post-processing of predictions as well.
    """
    raise NotImplementedError


@hookspec
def nnplug_trainers() -> Iterable[TrainerSpec]:
    """Trainers of this plugin. A name that another plugin has is an error."""
    raise NotImplementedError


@hookspec
def nnplug_writers() -> Iterable[WriterSpec]:
    """Formats in which this plugin writes masks. A name that another plugin has is an error."""
    raise NotImplementedError


# --- when a source is converted with converter=auto ---------------------------------------


@hookspec
def nnplug_detect(source: Path) -> Iterable[str]:
    """Names of this plugin's converters that can read ``source``.

    Look at names and, where names don't tell, at a few bytes; read no pixels. If no plugin or
    more than one converter claims the source, the user is asked to choose.
    """
    raise NotImplementedError
