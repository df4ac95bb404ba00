"""Every hook that a plugin can implement.

A plugin is a module (or object) named by an entry point of the group ``nnplug``::

    [project.entry-points.nnplug]
    mine = "my_package.plugin"

Functions in it that are marked with :data:`hookimpl` are called; importing that module must
load nothing heavy. All hooks collect: what every plugin returns is put together, and a config
selects by name, so the order of installation never decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from nnplug.runs import EpochReport, RunInfo, RunResult
from nnplug.types import (
    ConverterSpec,
    PlannerSpec,
    PreprocessorSpec,
    RemapperSpec,
    TrackerSpec,
    TrainerSpec,
    WriterSpec,
)

PROJECT = "nnplug"
API = (1, 0)
"""Version of the interface that plugins see: hooks, their arguments, and the public modules.

The second number grows with every addition, the first with a change that breaks plugins. A
plugin's module may state the one it was written for as ``nnplug_api = "1.0"``.
"""

hookimpl = pluggy.HookimplMarker(PROJECT)
Function = TypeVar("Function", bound=Callable[..., Any])


def hookspec(*, since: str, deprecated: str = "") -> Callable[[Function], Function]:
    """Mark a hook.

    Args:
        since: the version of the interface that brought it. A hook may gain arguments later,
            and loses none.
        deprecated: what to use instead; who implements the hook is told for one minor version.
    """

    def mark(function: Function) -> Function:
        function.since = since  # type: ignore[attr-defined]
        function.deprecated = deprecated  # type: ignore[attr-defined]
        return pluggy.HookspecMarker(PROJECT)(function)

    return mark


# --- before the configuration is composed -------------------------------------------------


@hookspec(since="1.0")
def nnplug_config_paths() -> Iterable[str]:
    """Folders of Hydra config groups, e.g. ``["pkg://my_package.conf"]``.

    Called before every composition. A path that does not exist marks the plugin as broken.
    """
    raise NotImplementedError


# --- when the catalog is built ------------------------------------------------------------


@hookspec(since="1.0")
def nnplug_converters() -> Iterable[ConverterSpec]:
    """Formats that this plugin reads. A name that another plugin has is an error."""
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_remappers() -> Iterable[RemapperSpec]:
    """Label remappers of this plugin. A name that another plugin has is an error.

    Those that work on voxels are offered for the post-processing of predictions as well.
    """
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_trainers() -> Iterable[TrainerSpec]:
    """Trainers of this plugin. A name that another plugin has is an error."""
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_planners() -> Iterable[PlannerSpec]:
    """Experiment planners of this plugin. A name that another plugin has is an error."""
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_preprocessors() -> Iterable[PreprocessorSpec]:
    """Preprocessors of this plugin. A name that another plugin has is an error.

    One that only this plugin's planners name is offered too: nnU-Net looks for it by its class's
    name whenever a model predicts.
    """
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_writers() -> Iterable[WriterSpec]:
    """Formats in which this plugin writes masks. A name that another plugin has is an error."""
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_trackers() -> Iterable[TrackerSpec]:
    """Where this plugin shows runs. A name that another plugin has is an error."""
    raise NotImplementedError


# --- when a source is converted with converter=auto ---------------------------------------


@hookspec(since="1.0")
def nnplug_detect(source: Path) -> Iterable[str]:
    """Names of this plugin's converters that can read ``source``.

    Look at names and, where names don't tell, at a few bytes; read no pixels. If no plugin or
    more than one converter claims the source, the user is asked to choose.
    """
    raise NotImplementedError


# --- while a model is trained -------------------------------------------------------------
# Called in the process that trains, one plugin after the other, and waited for. For showing
# runs elsewhere implement a tracker: it works beside the training.


@hookspec(since="1.0")
def nnplug_before_run(run: RunInfo) -> None:
    """Before anything is loaded. What is raised here aborts the run, in the plugin's name."""
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_epoch_end(run: RunInfo, epoch: EpochReport) -> None:
    """After every epoch, its checkpoint (if one was due) written.

    Raise :class:`nnplug.errors.Pruned` to end the training: the weights are kept, the run's
    status is ``pruned``. Anything else that is raised is told once and recorded in
    ``run.json``; the training goes on.
    """
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_after_run(run: RunInfo, result: RunResult) -> None:
    """After training and validation. What is raised is told and recorded; the run stays good."""
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_on_error(run: RunInfo, error: BaseException) -> None:
    """After a run that failed, was interrupted or was pruned.

    What is raised here is recorded and never hides ``error``.
    """
    raise NotImplementedError
