"""convert: source images to ``TaskXXX_Name`` as nnU-Net v1 wants it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import data_settings
from nnplug.config.settings import DataSettings
from nnplug.console import progress, say, warn
from nnplug.data import measures, qc, remapping
from nnplug.data.files import settle
from nnplug.data.taskfolder import Row, TaskFolder, other_tasks
from nnplug.errors import ConfigError, DataError, NnplugError, SourceError
from nnplug.stages import memory, store
from nnplug.stages.case import Job
from nnplug.stages.jobs import find_jobs, source_folder, steps
from nnplug.stages.locking import locked
from nnplug.stages.steps import Look
from nnplug.stages.workers import Crew, WorkerKilled


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
    source_folder(settings.dataset)
    folders = Folders.below(settings.paths.root)
    task = TaskFolder(folders.task(settings.dataset.task))
    _refuse_taken(task, folders)
    with ExitStack() as held, Crew(settings.workers) as crew:
        found = find_jobs(settings, catalog, task, crew.map)
        say(
            f"{settings.dataset.task}: {len(found)} cases with converter "
            f"{found[0].converter.name!r} from {settings.dataset.source}"
        )
        with locked(folders.raw_data, "is being changed", name=f".{task.path.name[:7]}.lock"):
            _refuse_taken(task, folders)
            held.enter_context(locked(task.path, "is being converted"))
        return _convert(settings, task, found, crew)


def look(settings: DataSettings, catalog: Catalog) -> Look:
    """Whether every case of the source is in the task folder as it would be written now.

    Raises:
        ConfigError, PluginError, SourceError: what :func:`run` finds out before it writes.
    """
    folders = Folders.below(settings.paths.root)
    task = TaskFolder(folders.task(settings.dataset.task))
    if settings.dataset.source is None:
        if task.is_complete:
            return Look("done", "no source is given")
        return Look("missing", "give dataset.source=DIR")
    _refuse_taken(task, folders)
    with Crew(settings.workers) as crew:
        found = find_jobs(settings, catalog, task, crew.map)
    previous = task.rows()
    todo = [replace(job, previous=previous.get(job.numbered.source.name)) for job in found]
    left = sum(store.unchanged(job) is None for job in todo)
    gone = len(set(previous) - {job.numbered.source.name for job in found})
    if task.is_complete and left + gone:
        return Look("stale", f"{left} of {len(found)} cases are new or changed, {gone} gone")
    if not task.is_complete:
        return Look("missing", f"{left} of {len(found)} cases")
    return Look("done", f"{len(found)} cases")


def _convert(settings: DataSettings, task: TaskFolder, found: Sequence[Job], crew: Crew) -> Result:
    previous = task.rows()
    was_complete = task.is_complete
    todo = [replace(job, previous=previous.get(job.numbered.source.name)) for job in found]
    standing = [row for job in todo if (row := store.unchanged(job)) is not None]
    if len(standing) == len(todo) and task.holds(
        standing, _description(settings), _source_labels(todo[0], standing)
    ):
        # Nothing is touched: another process may have gone on to plan or train.
        say(f"0 converted, {len(todo)} unchanged: {task.path}")
        return Result(task.path, 0, len(todo), [])
    task.begin()
    rows: list[Row] = []
    refused: list[NnplugError] = []
    with (
        progress("converting", len(todo)) as advance,
        closing(_outcomes(todo, settings, crew)) as outcomes,
    ):
        for outcome in outcomes:
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
        raise SourceError("no case could be converted", where=str(settings.dataset.source))
    new = [row for row in rows if not _same(previous.get(row.original), row)]
    settle(task.path / name for row in new for name in row.outputs)
    task.finish(rows, _description(settings), _source_labels(todo[0], rows))
    if settings.convert.qc:
        measured = {row.case: measures.restored(row.measures) for row in rows if row.measures}
        qc.write_table(task.path, dict(sorted(measured.items())))
    if refused:
        warn(f"{len(refused)} of {len(todo)} cases were left out")
    say(f"{len(new)} converted, {len(rows) - len(new)} unchanged: {task.path}")
    if was_complete and new:
        say("planning and preprocessing of this task will be done anew")
    return Result(task.path, len(new), len(rows) - len(new), refused)


def _same(old: Row | None, new: Row) -> bool:
    return old is not None and old.key == new.key and old.outputs == new.outputs


def _outcomes(
    todo: Sequence[Job], settings: DataSettings, crew: Crew
) -> Generator[Row | Exception, None, None]:
    """Untouched cases at once, then the others as they come from the workers."""
    left = []
    for job in todo:
        row = store.unchanged(job)
        if row is None:
            left.append(job)
        else:
            yield row
    if not left:
        return
    workers = min(settings.workers, len(left))
    if settings.memory_bound:
        workers = min(workers, memory.workers(job.numbered.source for job in left))
    with closing(crew.each(store.convert, left, workers)) as outcomes:
        for job, outcome in outcomes:
            if isinstance(outcome, WorkerKilled):
                yield SourceError(
                    "its worker process was killed, twice",
                    where=f"case {job.numbered.source.name}",
                    hint="is there too little memory for this case, or does the converter "
                    f"{job.converter.name!r} of plugin {job.converter.owner} end it? finished "
                    "cases are kept",
                )
            else:
                yield outcome


def _source_labels(job: Job, rows: Sequence[Row]) -> dict[str, Any] | None:
    """The way back from the dataset's label values, for the task folder."""
    found = {value for row in rows for value in row.values}
    if not job.remap or not found:
        return None
    chain = steps(job.remap)
    for name, values in remapping.never_met(chain, job.labels, found).items():
        warn(f"remap={name} names values that no case has: {', '.join(map(str, values))}")
    return asdict(remapping.inverse(chain, job.labels, found))


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
