"""check.phi: identifying values of the source in what was written for a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from nnplug.catalog import Catalog, load
from nnplug.config.folders import Folders
from nnplug.config.settings import DataSettings
from nnplug.console import progress, say
from nnplug.data import phi
from nnplug.data.problems import Problem
from nnplug.data.taskfolder import CASE_MAP, MANIFEST, TaskFolder
from nnplug.errors import ConfigError
from nnplug.stages.workers import each

PRIVATE = (CASE_MAP, MANIFEST)
BATCH = 200
Identifiers = Callable[[Path], Iterable[tuple[str, str]]]


@dataclass(frozen=True)
class _Batch:
    """Source files for a worker, and the functions (``module:function``) to read them with."""

    files: tuple[Path, ...]
    functions: tuple[Identifiers, ...]


def search(settings: DataSettings, catalog: Catalog) -> list[Problem]:
    """Look through the task folder, and the preprocessed data and models of the task.

    The identifying values come from the converters' ``identifiers`` functions and from the
    names of the cases and subjects in the source. ``case_map.csv`` and the manifest may hold
    these names and are only pointed out.

    Raises:
        ConfigError: there is no manifest and no dataset.source to take the values from.
        PluginError: a plugin's function can't be imported.
    """
    folders = Folders.below(settings.paths.root)
    task = TaskFolder(folders.task(settings.dataset.task))
    rows = task.rows().values()
    pairs = _read(_sources(task, settings), catalog, settings.workers)
    for row in rows:
        pairs |= {("case name", row.original), ("subject", row.subject)}
    wanted = phi.terms(sorted(pairs), allowed=[row.case for row in rows])
    say(f"looking for {len(wanted.uids) + len(wanted.words)} identifying values")
    places = [task.path, folders.cropped / task.path.name, folders.preprocessed / task.path.name]
    places += sorted(folders.models.glob(f"*/{task.path.name}"))
    return [problem for place in places for problem in _problems(place, wanted)]


def _sources(task: TaskFolder, settings: DataSettings) -> list[Path]:
    listed = {Path(source[0]) for row in task.rows().values() for source in row.sources}
    root = settings.dataset.source
    if root is not None:
        listed |= {path for path in root.resolve().rglob("*") if path.is_file()}
    found = sorted(path for path in listed if path.is_file())
    if not found:
        raise ConfigError(
            "which values may not be in the outputs? there is no source to take them from",
            where="check.phi",
            hint="give dataset.source=DIR",
        )
    return found


def _read(files: list[Path], catalog: Catalog, workers: int) -> set[tuple[str, str]]:
    functions = tuple(
        load(replace(entry.spec, target=entry.spec.identifiers), entry.owner)
        for entry in catalog.converters
        if entry.spec.identifiers
    )
    batches = [
        _Batch(tuple(files[start : start + BATCH]), functions)
        for start in range(0, len(files), BATCH)
    ]
    pairs: set[tuple[str, str]] = set()
    with (
        progress("reading identifying values", len(batches)) as advance,
        closing(each(identifiers, batches, min(workers, len(batches)))) as outcomes,
    ):
        for _, outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
            pairs |= outcome
            advance()
    return pairs


def identifiers(batch: _Batch) -> set[tuple[str, str]]:
    """Pairs of a field and a value in a batch of source files; runs in a worker process."""
    return {pair for path in batch.files for function in batch.functions for pair in function(path)}


def _problems(place: Path, wanted: phi.Terms) -> Iterator[Problem]:
    for path in sorted(place.rglob("*")):
        file = path.relative_to(place).as_posix()
        content = phi.searchable(path) if path.is_file() else b""
        if file in PRIVATE:
            if phi.fields_in(content, wanted):
                text = "holds original names: keep it private, remove it before sharing"
                yield Problem("phi", text, file=str(path), level="note")
            continue
        for where, held in (("the name", path.name.encode()), ("the content", content)):
            for field, masked in sorted(phi.fields_in(held, wanted).items()):
                yield Problem(
                    "phi",
                    f"{where} holds the source's {field} ({masked})",
                    file=str(path),
                    hint="remove it before the file leaves the hospital; report it if nnplug "
                    "wrote it",
                )
