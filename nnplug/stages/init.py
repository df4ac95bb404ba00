"""init: look at a folder of scans and write a dataset file for it."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog, Entry
from nnplug.config.app import USER_CONF_FOLDER, USER_CONF_VARIABLE
from nnplug.config.build import build
from nnplug.config.folders import Folders
from nnplug.config.resources import cores
from nnplug.config.settings import LARGEST_ID, RESERVED_IDS, Dataset
from nnplug.console import progress, say, warn
from nnplug.data.draft import Draft
from nnplug.data.glance import Glance, glance
from nnplug.data.taskfolder import other_tasks
from nnplug.errors import ConfigError, SourceError
from nnplug.stages import sources
from nnplug.stages.case import Tool
from nnplug.stages.workers import each
from nnplug.types import CaseSource, Converter, ConverterSpec, Source, Survey
from nnplug.whole import write_text

KEYS = ("name", "task_id", "converter")
MOST_READ = 50
REMAP = "table"


def main(arguments: list[str]) -> None:
    """The verb."""
    parser = argparse.ArgumentParser(prog="nnplug init", description=__doc__)
    parser.add_argument("source", help="the folder to look at")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help=", ".join(KEYS))
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    chosen = parser.parse_args(arguments)
    values = sources.settings(chosen.settings, KEYS)
    root = sources.folder(chosen.source)
    name = values.get("name") or _name(root)
    path = _configs() / "dataset" / f"{name}.yaml"
    if path.exists() and not chosen.force:
        raise ConfigError(
            "there is such a dataset already", where=str(path), hint="choose name=, or --force"
        )
    task_id = _task_id(values.get("task_id"), replaced=path)
    _check_name(name, task_id)
    draft = run(root, name, task_id, Catalog.build(), values.get("converter"))
    write_text(path, draft.yaml())
    for line in draft.summary():
        say(line)
    for line in (*draft.to_do(), *draft.failures()):
        warn(line)
    say(f"written: {path}\nnext: nnplug train dataset={name}")


def run(
    root: Path, name: str, task_id: int, catalog: Catalog, converter: str | None = None
) -> Draft:
    """Find the cases of a source, read up to 50 of them, and put together what was seen.

    Raises:
        SourceError: the source can't be understood, or none of its cases can be read.
        PluginError: the converter is not there.
    """
    entry = catalog.converters.get(converter) if converter else sources.choose(root, catalog)
    survey = sources.survey(entry, root)
    spacing_is_needed = _spacing_is_needed(entry.spec, survey)
    tool = _tool(entry, survey, placeholder=spacing_is_needed)
    source = Source(root, dict(survey.channels), dict(survey.labels), survey.unlabelled)
    cases: list[CaseSource] = list(tool.make().discover(source))
    glances = _glances(tool, cases[:: max(1, -(-len(cases) // MOST_READ))])
    if all(glance.problem for glance in glances):
        raise SourceError(
            f"none of the cases can be read: {glances[0].name}: {glances[0].problem}"
            if glances
            else "there is no case",
            where=str(root),
            hint="`nnplug scan` shows what is there",
        )
    return Draft(
        name=name,
        task_id=task_id,
        source=root,
        converter=entry.spec.name,
        survey=survey,
        cases=tuple(cases),
        glances=tuple(glances),
        spacing_is_needed=spacing_is_needed,
        can_remap=REMAP in catalog.remappers.names(),
    )


@dataclass(frozen=True)
class _Job:
    converter: Tool
    case: CaseSource


def look(job: _Job) -> Glance:
    """Read one case and keep a few numbers of it; runs in a worker process."""
    name = job.case.name
    problem = job.case.details.get("problem")
    if problem:
        return Glance(name, problem=str(problem))
    converter: Converter = job.converter.make()
    try:
        return glance(name, converter.read(job.case))
    except SourceError as error:
        return Glance(name, problem=error.problem)


def _glances(tool: Tool, cases: Sequence[CaseSource]) -> list[Glance]:
    jobs = [_Job(tool, case) for case in cases]
    found = []
    workers = max(1, min(cores(), len(jobs)))
    with (
        progress("reading", len(jobs)) as advance,
        closing(each(look, jobs, workers)) as outcomes,
    ):
        for job, outcome in outcomes:
            if isinstance(outcome, Exception):
                text = f"{type(outcome).__name__}: {' '.join(str(outcome).split())}"
                outcome = Glance(job.case.name, problem=text)
            found.append(outcome)
            advance()
    order = {case.name: number for number, case in enumerate(cases)}
    return sorted(found, key=lambda one: order[one.name])


def _spacing_is_needed(spec: ConverterSpec, survey: Survey) -> bool:
    """Whether the format doesn't store the spacing, so that the user has to say it."""
    options = fields(spec.options) if spec.options else ()
    return any(field.name == "spacing" for field in options) and not survey.options.get("spacing")


def _tool(entry: Entry[ConverterSpec], survey: Survey, *, placeholder: bool) -> Tool:
    spec = entry.spec
    values: dict[str, Any] = {k: v for k, v in survey.options.items() if v is not None}
    if placeholder:
        values["spacing"] = [1.0, 1.0, 1.0]
    options = build(spec.options, values, "converter") if spec.options else None
    return Tool(spec.name, entry.owner.version, spec.target, options)


def _configs() -> Path:
    return Path(os.environ.get(USER_CONF_VARIABLE) or USER_CONF_FOLDER).expanduser().resolve()


def _name(root: Path) -> str:
    return re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9-]", "_", root.name)).strip("_-") or "Dataset"


def _task_id(given: str | None, replaced: Path) -> int:
    """The given one, or the first from 100 on that no folder and no other dataset file has."""
    if given is not None:
        if not given.isdecimal():
            raise ConfigError(f"{given!r} is not a number", where="task_id")
        return int(given)
    root = Path(os.environ.get("NNPLUG_ROOT", "nnplug_data")).expanduser().resolve()
    folders = Folders.below(root)
    models = sorted(folders.models.glob("*")) if folders.models.is_dir() else []
    places = [folders.raw_data, folders.cropped, folders.preprocessed, *models]
    files = (path for path in _configs().glob("dataset/*.yaml") if path != replaced)
    taken = set(_ids_in_files(files))
    for number in range(RESERVED_IDS, LARGEST_ID + 1):
        if number not in taken and not other_tasks(f"Task{number:03d}_", places):
            return number
    raise ConfigError("every task id is taken", where=str(root), hint="choose task_id=N")


def _ids_in_files(paths: Iterable[Path]) -> Iterable[int]:
    for path in paths:
        for match in re.finditer(r"^\s*task_id:\s*(\d+)", path.read_text("utf-8"), re.MULTILINE):
            yield int(match[1])


def _check_name(name: str, task_id: int) -> None:
    try:
        Dataset(name=name, task_id=task_id, channels={0: "image"}, unlabelled=True)
    except ValueError as error:
        raise ConfigError(str(error), hint="choose name=NAME and task_id=N") from error
