"""check: mistakes in a task folder, or in a source before it is converted; all of them at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from typing import Any, TypeVar

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import data_settings
from nnplug.config.settings import DataSettings
from nnplug.console import progress, say
from nnplug.data import cohort, dataset_json
from nnplug.data.duplicates import repeated_images, repeated_subjects, subjects_of
from nnplug.data.problems import Problem, Report
from nnplug.data.seen import Seen, look
from nnplug.data.taskfiles import listed, look_at_files
from nnplug.data.taskfolder import CASE_MAP, TaskFolder
from nnplug.errors import DataError, NnplugError, SourceError
from nnplug.stages import case as one_case
from nnplug.stages import phi
from nnplug.stages.jobs import find_jobs
from nnplug.stages.locking import locked
from nnplug.stages.workers import each

T = TypeVar("T")


def main(config: Mapping[str, Any], catalog: Catalog) -> None:
    """The verb."""
    settings = data_settings(config, catalog)
    report = run(settings, catalog)
    if settings.check.json:
        sys.stdout.write(json.dumps(report.plain(), indent=2) + "\n")
    else:
        for line in report.lines():
            say(line)
    if report.count("error") or (settings.check.strict and report.count("warning")):
        kind = DataError if _task(settings).is_complete else SourceError
        raise kind(report.summary(), where=report.place, hint="see docs/check.md for each kind")
    say(f"{report.place}: {report.summary()}")


def run(settings: DataSettings, catalog: Catalog) -> Report:
    """Look at every case of the task folder, or of the source where there is none yet.

    Raises:
        ConfigError, DataError, SourceError, PluginError: there is nothing that can be looked at.
    """
    task = _task(settings)
    if task.is_complete or settings.dataset.source is None:
        report = _of_task(task, settings)
    else:
        report = _of_source(task, settings, catalog)
    if settings.check.phi:
        found = [*report.problems, *phi.search(settings, catalog)]
        report = replace(report, problems=found)
    return report


def _task(settings: DataSettings) -> TaskFolder:
    return TaskFolder(Folders.below(settings.paths.root).task(settings.dataset.task))


def _of_task(task: TaskFolder, settings: DataSettings) -> Report:
    description = task.description()
    if unreadable := dataset_json.unreadable(description):
        return Report(str(task.path), 0, unreadable)
    found = dataset_json.mistakes(description, task.path)
    repair = settings.check.repair == "header"
    files = listed(task, description, repair=repair)
    with locked(task.path, "is being changed") if repair else nullcontext():
        seen = _all_seen(look_at_files, files, settings.workers)
    names = description.get("labels", {})
    found += _together(seen, {name: int(value) for value, name in names.items()})
    found += repeated_subjects(subjects_of(task.path / CASE_MAP))
    return Report(str(task.path), len(seen), found)


def _of_source(task: TaskFolder, settings: DataSettings, catalog: Catalog) -> Report:
    seen = _all_seen(look_at_source, find_jobs(settings, catalog, task), settings.workers)
    found = _together(seen, settings.dataset.labels)
    return Report(str(settings.dataset.source), len(seen), found)


def _all_seen(function: Callable[[T], Seen], cases: Sequence[T], workers: int) -> list[Seen]:
    seen = []
    with (
        progress("checking", len(cases)) as advance,
        closing(each(function, cases, min(workers, len(cases)) or 1)) as outcomes,
    ):
        for _, outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
            seen.append(outcome)
            advance()
    return sorted(seen, key=lambda one: (one.split == "test", one.name))


def _together(seen: Sequence[Seen], labels: Mapping[str, int]) -> list[Problem]:
    """The findings of each case, and what shows when cases are compared."""
    measured = {case.name: case.measures for case in seen if case.measures is not None}
    return [
        *(problem for case in seen for problem in case.problems),
        *_labels_that_never_occur(seen, labels),
        *repeated_images(seen),
        *cohort.outliers(measured),
    ]


def _labels_that_never_occur(seen: Iterable[Seen], labels: Mapping[str, int]) -> Iterator[Problem]:
    values = {value for case in seen for value in case.values}
    for name, value in labels.items():
        if values and value not in values:
            text = f"label {value} ({name}) occurs in no case"
            yield Problem("label values", text, level="warning")


def look_at_source(job: one_case.Job) -> Seen:
    """Read and look at one case of a source, as conversion would; runs in a worker process."""
    name, split = job.numbered.source.name, job.numbered.split
    try:
        prepared = one_case.prepare(job)
    except NnplugError as error:
        where = (error.where or "").removeprefix(f"case {name}").removeprefix(", ")
        return Seen(name, split, (Problem("source", error.problem, name, where, error.hint or ""),))
    declared = frozenset(job.labels.values())
    return look(name, split, prepared.images, prepared.label, declared)
