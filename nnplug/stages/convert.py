"""convert: source images to ``TaskXXX_Name`` as nnU-Net v1 wants it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import data_settings
from nnplug.config.settings import DataSettings
from nnplug.console import say, warn
from nnplug.data import measures, qc, remapping
from nnplug.data.files import settle
from nnplug.data.taskfolder import Row, TaskFolder, other_tasks
from nnplug.errors import ConfigError, DataError, NnplugError, SourceError
from nnplug.stages import outcomes, store
from nnplug.stages.case import Job
from nnplug.stages.jobs import find_jobs, source_folder, steps
from nnplug.stages.locking import locked
from nnplug.stages.steps import Look
from nnplug.stages.workers import Crew
from nnplug.sweeps.shards import Shard, Shards


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
    """The verb, or one shard of it."""
    settings = data_settings(config, catalog)
    if (shard := Shard.given(config)) is not None:
        run_shard(settings, catalog, shard)
    else:
        run(settings, catalog, Shards.wanted("convert", config))


def run(settings: DataSettings, catalog: Catalog, shards: Shards | None = None) -> Result:
    """Convert every case of the source that is not there yet, or has changed.

    With ``shards`` other processes convert, and what they leave is done here: refused cases are
    refused here again, and the records are written.

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
        return _convert(settings, task, found, crew, shards)


def run_shard(settings: DataSettings, catalog: Catalog, shard: Shard) -> None:
    """Convert this share of the cases for a command that holds the task's lock.

    Cases that can't be converted are only warned of here: they are the command's to refuse.

    Raises:
        DataError: the task is no longer converted in these shards.
    """
    task = TaskFolder(Folders.below(settings.paths.root).task(settings.dataset.task))
    folder = task.shards(shard.name)
    settings = replace(settings, convert=replace(settings.convert, on_error="skip"))
    with Crew(settings.workers) as crew:
        found = shard.of(find_jobs(settings, catalog, task, crew.map))
        previous = task.rows()

        def keep(row: Row) -> None:
            if not outcomes.same(previous.get(row.original), row):
                task.append(row, folder / f"{shard.number:04d}.jsonl")

        def still(jobs: Sequence[Job]) -> Iterator[Job]:
            for job in jobs:
                if not folder.is_dir():
                    raise DataError(
                        "another conversion of this task has begun", where=str(task.path)
                    )
                yield job

        outcomes.collect(outcomes.known(found, previous), settings, crew, keep, still)


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
    todo = outcomes.known(found, previous)
    left = sum(store.unchanged(job) is None for job in todo)
    gone = len(set(previous) - {job.numbered.source.name for job in found})
    if task.is_complete and left + gone:
        return Look("stale", f"{left} of {len(found)} cases are new or changed, {gone} gone")
    if not task.is_complete:
        return Look("missing", f"{left} of {len(found)} cases")
    return Look("done", f"{len(found)} cases")


def _convert(
    settings: DataSettings,
    task: TaskFolder,
    found: Sequence[Job],
    crew: Crew,
    shards: Shards | None,
) -> Result:
    previous = task.rows()
    was_complete = task.is_complete
    todo = outcomes.known(found, previous)
    looked = [store.unchanged(job) for job in todo]
    standing = [row for row in looked if row is not None]
    if len(standing) == len(todo) and task.holds(
        standing, _description(settings), _source_labels(todo[0], standing)
    ):
        # Nothing is touched: another process may have gone on to plan or train.
        say(f"0 converted, {len(todo)} unchanged: {task.path}")
        return Result(task.path, 0, len(todo), [])
    task.begin(shards.name if shards else None)
    if shards is not None:
        shards.run([row is None for row in looked])
        todo = outcomes.known(found, task.rows())

    def keep(row: Row) -> None:
        if not outcomes.same(previous.get(row.original), row):
            task.append(row)

    rows, refused = outcomes.collect(todo, settings, crew, keep)
    if not rows:
        raise SourceError("no case could be converted", where=str(settings.dataset.source))
    new = [row for row in rows if not outcomes.same(previous.get(row.original), row)]
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
