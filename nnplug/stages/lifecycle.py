"""A run from its start to its end: its record, its progress, the hooks of plugins, trackers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from nnplug.catalog import Catalog
from nnplug.console import warn
from nnplug.data import overlay
from nnplug.errors import NnplugError, PluginError, Pruned
from nnplug.plugins import Host, describe
from nnplug.runs import EpochReport, Patch, RunInfo, RunResult
from nnplug.stages.progress import Progress
from nnplug.stages.record import Record
from nnplug.stages.track import Beside

OVERLAYS = "overlays"


class Life:
    """One run while it lasts.

    Attributes:
        record: its ``run.json``.
        result: to be set when the run has one.
    """

    def __init__(self, run: RunInfo, record: Record, host: Host) -> None:
        self.run = run
        self.beside: Beside | None = None
        self.record = record
        self.host = host
        self.progress = Progress(run.folder, run.labels, len(record.content["sessions"]))
        self.result: RunResult | None = None
        self._told: set[tuple[str, str]] = set()

    def start(self, facts: Mapping[str, Any]) -> None:
        """The training begins."""
        self.record.start(facts)
        if self.record.content["trackers"]:
            try:
                self.beside = Beside(self.run.folder)
            except OSError as error:
                self._tell("nnplug", "tracking", describe(error))

    def epoch(self, report: EpochReport) -> None:
        """Record an epoch, then call the hooks.

        Raises:
            Pruned: a plugin wants the run to end.
        """
        self.progress.add(report, self._pictures(report))
        self._call("nnplug_epoch_end", epoch=report)

    def before(self) -> None:
        """Call the hooks.

        Raises:
            PluginError: one of them failed.
        """
        for owner, call in self.host.calls("nnplug_before_run"):
            try:
                call(run=self.run)
            except (Exception, SystemExit) as error:
                raise PluginError(
                    f"it does not let this run begin: {describe(error)}",
                    where=f"plugin {owner}",
                    hint=f"NNPLUG_BLOCK={owner.name} keeps the plugin out",
                ) from error

    def after(self) -> None:
        """Call the hooks of a run that ended well."""
        if self.result is not None:
            self._call("nnplug_after_run", result=self.result)

    def failed(self, error: BaseException) -> None:
        """Call the hooks of a run that didn't."""
        self._call("nnplug_on_error", error=error)

    def _call(self, hook: str, **arguments: Any) -> None:
        pruned: Pruned | None = None
        for owner, call in self.host.calls(hook):
            try:
                call(run=self.run, **arguments)
            except (Exception, SystemExit) as error:
                if isinstance(error, Pruned) and hook == "nnplug_epoch_end":
                    pruned = pruned or error
                else:
                    self._tell(f"plugin {owner}", hook, describe(error))
        if pruned is not None:
            raise pruned

    def _tell(self, owner: str, where: str, problem: str) -> None:
        if (owner, where) in self._told:
            return
        self._told.add((owner, where))
        warn(f"{owner}: {where}: {problem}; the run goes on")
        self.record.problem(owner, where, problem)

    def _pictures(self, report: EpochReport) -> dict[str, str]:
        if report.patch is None:
            return {}
        name = f"{OVERLAYS}/epoch_{report.epoch:04d}.png"
        try:
            _draw(report.patch, self.run.folder / name)
        except Exception as error:
            self._tell("nnplug", OVERLAYS, describe(error))
            return {}
        return {"validation patch": name}


@contextlib.contextmanager
def lived(run: RunInfo, facts: Mapping[str, Any], catalog: Catalog) -> Iterator[Life]:
    """Keep the run's records and call the hooks around the block.

    Args:
        run: what is run.
        facts: for ``run.json``; its ``trackers`` are told.
        catalog: whose plugins have hooks.

    Raises:
        PluginError: a plugin does not let the run begin.
    """
    life = Life(run, Record(run.folder, facts, resumed=run.resumed), catalog.host)
    try:
        life.before()
        yield life
    except BaseException as error:
        with contextlib.suppress(NnplugError, OSError):  # the first error is the one to tell
            life.record.end(None, error)
            life.failed(error)
        raise
    else:
        life.record.end(None if life.result is None else vars(life.result))
        life.after()
    finally:
        if life.beside is not None:
            life.beside.finish()


def _draw(patch: Patch, path: Path) -> None:
    """The reference and the network's output, one below the other."""
    images = []
    for values in (patch.image, patch.reference, patch.prediction):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing(patch.spacing[::-1])
        images.append(image)
    overlay.write(images[0], images[1:], path)
