"""convert: source images to ``TaskXXX_Name`` as nnU-Net v1 wants it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog, Entry, load
from nnplug.config.folders import Folders
from nnplug.config.load import (
    AUTO,
    NONE,
    choice_options,
    data_settings,
    existing_folder,
)
from nnplug.config.settings import Choice, DataSettings
from nnplug.console import progress, say, warn
from nnplug.data.numbering import Numbered, number
from nnplug.data.taskfolder import Row, TaskFolder, other_tasks
from nnplug.errors import ConfigError, DataError, NnplugError, PluginError, SourceError
from nnplug.stages import case as one_case
from nnplug.stages.case import Job, Tool
from nnplug.stages.locking import locked
from nnplug.stages.workers import pool
from nnplug.types import CaseSource, Layout, Source


@dataclass(frozen=True)
class Result:
    """What a conversion did.

    Attributes:
        task: the task folder.
        converted: cases written now.
        unchanged: cases that were there already.
        refused: what kept the others out (only with ``convert.on_error=skip``).
    """

    task: Path
    converted: int
    unchanged: int
    refused: list[NnplugError]


def main(config: Mapping[str, Any], catalog: Catalog) -> None:
    """The verb."""
    run(data_settings(config, catalog), catalog)


def run(settings: DataSettings, catalog: Catalog) -> Result:
    """Convert every case of the source that is not there yet, or has changed.

    Raises:
        ConfigError, PluginError: before anything is read or written.
        SourceError: a case can't be converted correctly.
        StorageError: nothing can be written.
    """
    dataset = settings.dataset
    if dataset.source is None:
        raise ConfigError(
            "where are the images?", where="dataset.source", hint="give dataset.source=DIR"
        )
    root = existing_folder(dataset.source, "dataset.source")
    folders = Folders.below(settings.paths.root)
    task = TaskFolder(folders.task(dataset.task))
    _refuse_taken(task, folders)
    source = Source(
        root=root,
        channels=dict(sorted(dataset.channels.items())),
        labels=dict(dataset.labels),
        unlabelled=dataset.unlabelled,
        layout=Layout(tuple(dataset.images), dataset.label),
    )
    converter = _converter(settings.converter, root, catalog)
    remapper = _remapper(settings.remap, catalog)
    found: list[CaseSource] = list(converter.make().discover(source))
    if not found:
        raise SourceError("there is no case", where=str(root))
    cases = number(
        found,
        dataset.name,
        subject=dataset.subject,
        test=dataset.test,
        test_fraction=dataset.test_fraction,
        unlabelled=dataset.unlabelled,
    )
    say(f"{dataset.task}: {len(cases)} cases with converter {converter.name!r} from {root}")
    with locked(task.path, "is being converted"):
        return _convert(settings, task, cases, converter, remapper)


def _convert(
    settings: DataSettings,
    task: TaskFolder,
    cases: Sequence[Numbered],
    converter: Tool,
    remapper: Tool | None,
) -> Result:
    dataset = settings.dataset
    previous = task.rows()
    was_complete = task.is_complete
    jobs = [
        Job(
            numbered=numbered,
            task=task,
            converter=converter,
            remapper=remapper,
            channels=dataset.channels,
            labels=dataset.labels,
            unlabelled=dataset.unlabelled,
            previous=previous.get(numbered.source.name),
        )
        for numbered in cases
    ]
    task.begin()
    rows: list[Row] = []
    refused: list[NnplugError] = []
    with progress("converting", len(jobs)) as advance:
        for outcome in _in_parallel(jobs, settings.workers):
            if isinstance(outcome, Row):
                rows.append(outcome)
                if not _same(previous.get(outcome.original), outcome):
                    task.append(outcome)
            elif settings.convert.on_error == "stop" or not isinstance(outcome, SourceError):
                raise outcome
            else:
                refused.append(outcome)
                warn(str(outcome))
            advance()
    if not rows:
        raise SourceError("no case could be converted", where=str(dataset.source))
    task.finish(rows, _description(settings))
    unchanged = sum(_same(previous.get(row.original), row) for row in rows)
    if refused:
        warn(f"{len(refused)} of {len(cases)} cases were left out")
    say(f"{len(rows) - unchanged} converted, {unchanged} unchanged: {task.path}")
    if was_complete and unchanged < len(rows):
        say("planning and preprocessing of this task will be done anew")
    return Result(task.path, len(rows) - unchanged, unchanged, refused)


def _same(old: Row | None, new: Row) -> bool:
    return old is not None and old.key == new.key and old.outputs == new.outputs


def _in_parallel(jobs: Sequence[Job], workers: int) -> Iterator[Row | NnplugError]:
    """Outcomes as they come; at most two cases a worker are under way."""
    waiting = iter(jobs)
    running: dict[Future[Row], Job] = {}
    with pool(min(workers, len(jobs))) as executor:
        try:
            while True:
                for job in waiting:
                    running[executor.submit(one_case.convert, job)] = job
                    if len(running) >= 2 * workers:
                        break
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=lambda future: future.exception() is not None):
                    try:
                        outcome: Row | NnplugError = future.result()
                    except NnplugError as error:
                        outcome = error
                    del running[future]
                    yield outcome
        except BrokenProcessPool as error:
            names = ", ".join(job.numbered.source.name for job in running.values())
            raise DataError(
                f"a worker was killed while these cases were under way: {names}",
                hint="too little memory? try workers=1; finished cases are kept",
            ) from error


def _refuse_taken(task: TaskFolder, folders: Folders) -> None:
    models = sorted(folders.models.glob("*")) if folders.models.is_dir() else []
    others = other_tasks(
        task.path.name, [folders.raw_data, folders.cropped, folders.preprocessed, *models]
    )
    if others:
        raise ConfigError(
            f"another task has this id: {others[0].name}",
            where="dataset.task_id",
            hint=f"choose another id, or remove {others[0]}",
        )
    if task.is_foreign:
        raise DataError(
            "this task folder was not made by nnplug and is left as it is",
            where=str(task.path),
            hint="use it without dataset.source, or choose another dataset.name and task_id",
        )


def _converter(choice: Choice, root: Path, catalog: Catalog) -> Tool:
    if choice.name == AUTO:
        claims = sorted(
            {str(name) for _, name in catalog.host.collect("nnplug_detect", source=root)}
        )
        if len(claims) != 1:
            raise SourceError(
                f"several converters can read this: {', '.join(claims)}"
                if claims
                else "no installed converter recognises these files",
                where=str(root),
                hint=f"choose with converter=NAME, one of: {', '.join(catalog.converters.names())}"
                + "".join(
                    f"; {plugin} is broken ({plugin.problem})" for plugin in catalog.host.broken()
                ),
            )
        choice = Choice(claims[0], choice.options)
    return _tool(
        catalog.converters.get(choice.name),
        choice_options(choice, catalog.converters, "converter"),
    )


def _remapper(choice: Choice, catalog: Catalog) -> Tool | None:
    if choice.name == NONE:
        return None
    options = choice_options(choice, catalog.remappers, "remap")
    return _tool(catalog.remappers.get(choice.name), options)


def _tool(entry: Entry[Any], options: object | None) -> Tool:
    """A tool whose target is known to import, so that no worker is the first to find out."""
    cls = load(entry.spec, entry.owner)
    if not callable(cls):
        raise PluginError(f"{entry.spec.target} is not a class", where=f"plugin {entry.owner}")
    return Tool(entry.spec.name, entry.owner.version, entry.spec.target, options)


def _description(settings: DataSettings) -> dict[str, Any]:
    dataset = settings.dataset
    return {
        "name": dataset.name,
        "description": dataset.description,
        "reference": dataset.reference,
        "licence": dataset.licence,
        "release": dataset.release,
        "tensorImageSize": "4D" if len(dataset.channels) > 1 else "3D",
        "modality": {str(number): name for number, name in sorted(dataset.channels.items())},
        "labels": {
            str(value): name
            for name, value in sorted(dataset.labels.items(), key=lambda item: item[1])
        },
    }
