"""Every hook that a plugin can implement.

A plugin is a module (or object) named by an entry point of the group ``nnplug``::

    [project.entry-points.nnplug]
    mine = "my_package.plugin"

Functions in it that are marked with :data:`hookimpl` are called; importing that module must
load nothing heavy. All hooks collect: what every plugin returns is put together, and a config
selects by name, so the order of installation never decides. Where an order shows, around a run and
on the search path of configs, it is that of the plugins' names.
"""

from __future__ import annotations

import inspect
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
    SearchSpec,
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


def hookspec(
    *, since: str, deprecated: str = "", ordered: bool = False
) -> Callable[[Function], Function]:
    """Mark a hook.

    Args:
        since: the version of the interface that brought it. A hook may gain arguments later,
            and loses none.
        deprecated: what to use instead; who implements the hook is told for one minor version.
        ordered: the order of the plugins shows in what comes of it, so ``tryfirst`` and
            ``trylast`` are heeded; elsewhere they are refused.
    """

    def mark(function: Function) -> Function:
        function.arguments = tuple(inspect.signature(function).parameters)  # type: ignore[attr-defined]
        function.since = since  # type: ignore[attr-defined]
        function.deprecated = deprecated  # type: ignore[attr-defined]
        function.ordered = ordered  # type: ignore[attr-defined]
        return pluggy.HookspecMarker(PROJECT)(function)

    return mark


# The page of each hook, docs/plugins/hooks/NAME.md, is made from its signature and docstring by
# ``python tests/hook_pages.py``.
# --- before the configuration is composed -------------------------------------------------


@hookspec(since="1.0", ordered=True)
def nnplug_config_paths() -> Iterable[str]:
    """Folders of Hydra config groups.

    When: before every composition, in every command that takes a configuration.

    Result: texts of the form ``pkg://PACKAGE``. The user's own folder comes before them on the
    search path, nnplug's too. Of two files with one name the first on the path is taken.

    Errors: a path that does not exist, or has another form, marks the plugin as broken.

    Example::

        @hookimpl
        def nnplug_config_paths():
            return ["pkg://nnplug_mine.conf"]
    """
    raise NotImplementedError


# --- when the catalog is built ------------------------------------------------------------


@hookspec(since="1.0")
def nnplug_converters() -> Iterable[ConverterSpec]:
    """Formats that this plugin reads.

    When: the catalog is built, once a process. The target is imported when it is chosen.

    Result: specs. The target is a class with the methods of :class:`nnplug.types.Converter`.

    Errors: a name that another plugin has can't be used until one of them is gone.

    Example::

        @hookimpl
        def nnplug_converters():
            return [ConverterSpec("mine", "nnplug_mine.converter:Converter", options=MineOptions)]
    """
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_remappers() -> Iterable[RemapperSpec]:
    """Label remappers of this plugin.

    Those that work on voxels are offered for the post-processing of predictions as well.

    When: the catalog is built, once a process. The target is imported when it is chosen.

    Result: specs. The target is a class like :class:`nnplug.types.ValueRemapper` or
    :class:`nnplug.types.VoxelRemapper`.

    Errors: a name that another plugin has can't be used until one of them is gone.

    Example::

        @hookimpl
        def nnplug_remappers():
            return [RemapperSpec("mine", "nnplug_mine.remapper:Remapper", options=MineOptions)]
    """
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_trainers() -> Iterable[TrainerSpec]:
    """Trainers of this plugin.

    When: the catalog is built, once a process. The target is imported when it is chosen.

    Result: specs. The target is a subclass of ``nnUNetTrainerV2`` with a name of its own.

    Errors: a name that another plugin has can't be used until one of them is gone.

    Example::

        @hookimpl
        def nnplug_trainers():
            return [
                TrainerSpec(
                    name="mine",
                    target="nnplug_mine.trainer:nnUNetTrainerV2_Mine",
                    options=MineOptions,
                    defaults={"epochs": 500},
                )
            ]
    """
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_planners() -> Iterable[PlannerSpec]:
    """Experiment planners of this plugin.

    When: the catalog is built, once a process. The target is imported when it is chosen.

    Result: specs. The targets are subclasses of nnU-Net's planners with names of their own.

    Errors: a name that another plugin has can't be used until one of them is gone.

    Example::

        @hookimpl
        def nnplug_planners():
            return [PlannerSpec("mine", "nnplug_mine.planning:MinePlanner")]
    """
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_preprocessors() -> Iterable[PreprocessorSpec]:
    """Preprocessors of this plugin.

    One that only this plugin's planners name is offered too: nnU-Net looks for it by its class's
    name whenever a model predicts.

    When: the catalog is built, once a process. The target is imported when it is chosen.

    Result: specs. The target is a subclass of nnU-Net's ``GenericPreprocessor`` with a name of
    its own.

    Errors: a name that another plugin has can't be used until one of them is gone.

    Example::

        @hookimpl
        def nnplug_preprocessors():
            return [PreprocessorSpec("mine", "nnplug_mine.planning:MinePreprocessor")]
    """
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_writers() -> Iterable[WriterSpec]:
    """Formats in which this plugin writes masks.

    When: the catalog is built, once a process. The target is imported when it is chosen.

    Result: specs. The target is a class with the method of :class:`nnplug.types.Writer`.

    Errors: a name that another plugin has can't be used until one of them is gone.

    Example::

        @hookimpl
        def nnplug_writers():
            return [WriterSpec("mine", "nnplug_mine.writer:Writer", suffix=".mine")]
    """
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_trackers() -> Iterable[TrackerSpec]:
    """Where this plugin shows runs.

    When: the catalog is built, once a process. The target is imported in a process beside the
    training, if ``tracking`` names it.

    Result: specs. The target is a class with the methods of :class:`nnplug.runs.Tracker`.

    Errors: a name that another plugin has can't be used until one of them is gone.

    Example::

        @hookimpl
        def nnplug_trackers():
            return [TrackerSpec("mine", "nnplug_mine.tracker:Tracker", options=MineOptions)]
    """
    raise NotImplementedError


@hookspec(since="1.0")
def nnplug_searches() -> Iterable[SearchSpec]:
    """Searches over the configuration of this plugin, instead of every combination.

    When: the catalog is built, once a process. The target is imported by a sweep with
    ``sweep/search=NAME``.

    Result: specs. The target is a class with the methods of :class:`nnplug.search.Search`.

    Errors: a name that another plugin has can't be used until one of them is gone.

    Example::

        @hookimpl
        def nnplug_searches():
            return [SearchSpec("mine", "nnplug_mine.search:Search", options=MineOptions)]
    """
    raise NotImplementedError


# --- when a source is converted with converter=auto ---------------------------------------


@hookspec(since="1.0")
def nnplug_detect(source: Path) -> Iterable[str]:
    """Names of this plugin's converters that can read ``source``.

    Look at names and, where names don't tell, at a few bytes; read no pixels.

    When: a source is converted, checked or scanned with ``converter=auto``.

    Result: names of converters. If no plugin or more than one converter claims the source, the
    user is asked to choose.

    Errors: what is raised marks the plugin as broken; the others are asked.

    Example::

        @hookimpl
        def nnplug_detect(source):
            return ["mine"] if any(source.glob("**/*.mine")) else []
    """
    raise NotImplementedError


# --- while a model is trained -------------------------------------------------------------
# Called in the process that trains, one plugin after the other, and waited for. For showing
# runs elsewhere implement a tracker: it works beside the training.


@hookspec(since="1.0", ordered=True)
def nnplug_before_run(run: RunInfo) -> None:
    """A training is about to start.

    When: before anything is loaded.

    Errors: what is raised aborts the run, in the plugin's name.

    Example::

        @hookimpl
        def nnplug_before_run(run):
            if run.config["seed"] is None:
                raise ValueError("every training here is seeded: seed=0")
    """
    raise NotImplementedError


@hookspec(since="1.0", ordered=True)
def nnplug_epoch_end(run: RunInfo, epoch: EpochReport) -> None:
    """An epoch is done.

    When: after every epoch, its checkpoint (if one was due) written.

    Errors: :class:`nnplug.errors.Pruned` ends the training: the weights are kept, the run's
    status is ``pruned``. Anything else that is raised is told once and recorded in
    ``run.json``; the training goes on.

    Example::

        @hookimpl
        def nnplug_epoch_end(run, epoch):
            if epoch.epoch == 50 and epoch.val_loss > 0:
                raise Pruned("the validation loss is still above 0 after 50 epochs")
    """
    raise NotImplementedError


@hookspec(since="1.0", ordered=True)
def nnplug_after_run(run: RunInfo, result: RunResult) -> None:
    """A training has ended well.

    When: after the validation.

    Errors: what is raised is told and recorded; the run stays good.

    Example::

        @hookimpl
        def nnplug_after_run(run, result):
            (run.folder / "mean_dice.txt").write_text(str(result.mean_dice))
    """
    raise NotImplementedError


@hookspec(since="1.0", ordered=True)
def nnplug_on_error(run: RunInfo, error: BaseException) -> None:
    """A training has ended otherwise.

    When: after a run that failed, was interrupted or was pruned.

    Errors: what is raised here is recorded and never hides ``error``.

    Example::

        @hookimpl
        def nnplug_on_error(run, error):
            (run.folder / "failed.txt").write_text(str(error))
    """
    raise NotImplementedError
