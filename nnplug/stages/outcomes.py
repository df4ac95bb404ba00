"""What becomes of cases, one after the other: rows of the manifest, and refusals."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from nnplug.config.settings import DataSettings
from nnplug.console import progress, warn
from nnplug.data.taskfolder import Row
from nnplug.errors import NnplugError, SourceError
from nnplug.stages import memory, store
from nnplug.stages.case import Job
from nnplug.stages.workers import Crew, WorkerKilled


def known(found: Sequence[Job], previous: Mapping[str, Row]) -> list[Job]:
    """The cases, each with what the manifest says of it."""
    return [replace(job, previous=previous.get(job.numbered.source.name)) for job in found]


def same(old: Row | None, new: Row) -> bool:
    """Whether the manifest says that already."""
    return old is not None and old.key == new.key and old.outputs == new.outputs


def collect(
    todo: Sequence[Job],
    settings: DataSettings,
    crew: Crew,
    keep: Callable[[Row], None],
    give: Callable[[Sequence[Job]], Iterator[Job]] = iter,
) -> tuple[list[Row], list[NnplugError]]:
    """Convert what is not there; the rows of all cases, each kept at once, and the refusals.

    ``give`` goes through the cases as workers become free.
    """
    rows: list[Row] = []
    refused: list[NnplugError] = []
    with (
        progress("converting", len(todo)) as advance,
        closing(_outcomes(todo, settings, crew, give)) as outcomes,
    ):
        for outcome in outcomes:
            if isinstance(outcome, Row):
                rows.append(outcome)
                keep(outcome)
            elif settings.convert.on_error == "stop" or not isinstance(outcome, SourceError):
                raise outcome
            else:
                refused.append(outcome)
                warn(str(outcome))
            advance()
    return rows, refused


def _outcomes(
    todo: Sequence[Job],
    settings: DataSettings,
    crew: Crew,
    give: Callable[[Sequence[Job]], Iterator[Job]],
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
    with closing(crew.each(store.convert, give(left), workers)) as outcomes:
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
