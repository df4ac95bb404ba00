"""From settings to the cases that there are to convert."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnplug.catalog import Catalog, Entry, blamed, load
from nnplug.config.load import AUTO, choice_options, existing_folder
from nnplug.config.settings import Choice, Dataset, DataSettings
from nnplug.data import remapping
from nnplug.data.numbering import number
from nnplug.data.taskfolder import TaskFolder
from nnplug.errors import ConfigError, PluginError, SourceError
from nnplug.stages import sources
from nnplug.stages.case import Job, Tool
from nnplug.types import Apply, CaseSource, Layout, Source, ValueRemapper, VoxelRemapper

KEY_BYTES = 16


def find_jobs(
    settings: DataSettings, catalog: Catalog, task: TaskFolder, apply: Apply = map
) -> list[Job]:
    """What there is to convert, one job a case; no pixel is read.

    Args:
        settings: the dataset, the converter and what is done to labels.
        catalog: converters and remappers by name.
        task: where the cases will go.
        apply: lets the converter read headers in several processes.

    Raises:
        ConfigError, PluginError: a converter, remapper or option that can't be used.
        SourceError: the source can't be understood, or has no case.
    """
    dataset = settings.dataset
    root = source_folder(dataset)
    source = Source(
        root=root,
        channels=dict(sorted(dataset.channels.items())),
        labels=dict(dataset.labels),
        unlabelled=dataset.unlabelled,
        reference=settings.reference or 0,
        layout=Layout(tuple(dataset.images), dataset.label),
        apply=apply,
    )
    converter = _converter(settings.converter, root, catalog)
    remap = tuple(_remapper(choice, catalog) for choice in settings.remap)
    remapping.check(steps(remap), dataset.labels)
    with blamed(converter.owner, f"discover of the converter {converter.name!r} failed"):
        cases: list[CaseSource] = list(converter.make().discover(source))
    if not cases:
        raise SourceError("there is no case", where=str(root))
    numbered = number(
        cases,
        dataset.name,
        subject=dataset.subject,
        test=dataset.test,
        test_fraction=dataset.test_fraction,
        unlabelled=dataset.unlabelled,
        key=_key(dataset.pseudonym_key),
    )
    return [
        Job(
            numbered=case,
            task=task,
            converter=converter,
            remap=remap,
            channels=dataset.channels,
            labels=dataset.labels,
            unlabelled=dataset.unlabelled,
            convert=settings.convert,
            reference=settings.reference,
        )
        for case in numbered
    ]


def source_folder(dataset: Dataset) -> Path:
    """``dataset.source``.

    Raises:
        ConfigError: it is not given, or no folder.
    """
    if dataset.source is None:
        raise ConfigError(
            "where are the images?", where="dataset.source", hint="give dataset.source=DIR"
        )
    return existing_folder(dataset.source, "dataset.source")


def steps(tools: Sequence[Tool]) -> list[remapping.Step]:
    """The remappers, made."""
    return [remapping.Step(tool.name, tool.make()) for tool in tools]


def _key(path: Path | None) -> bytes | None:
    if path is None:
        return None
    content = path.read_bytes() if path.is_file() else b""
    if len(content) < KEY_BYTES:
        raise ConfigError(
            f"a file of at least {KEY_BYTES} bytes is wanted here",
            where=f"dataset.pseudonym_key={path}",
            hint=f"make one: head -c 32 /dev/urandom > {path}; keep it secret, and keep it",
        )
    return content


def _converter(choice: Choice, root: Path, catalog: Catalog) -> Tool:
    entry = (
        sources.choose(root, catalog)
        if choice.name == AUTO
        else (catalog.converters.get(choice.name))
    )
    named = Choice(entry.spec.name, choice.options)
    return _tool(entry, choice_options(named, catalog.converters, "converter"))


def _remapper(choice: Choice, catalog: Catalog) -> Tool:
    entry = catalog.remappers.get(choice.name)
    tool = _tool(entry, choice_options(choice, catalog.remappers, "remap"))
    with blamed(entry.owner, f"the remapper {tool.name!r} can't be made"):
        made = tool.make()
    if not isinstance(made, ValueRemapper | VoxelRemapper):
        raise PluginError(
            f"{tool.target} has neither value() and keys nor apply()",
            where=f"plugin {entry.owner}",
        )
    return tool


def _tool(entry: Entry[Any], options: object | None) -> Tool:
    """A tool whose target is known to import, so that no worker is the first to find out."""
    cls = load(entry.spec, entry.owner)
    if not callable(cls):
        raise PluginError(f"{entry.spec.target} is not a class", where=f"plugin {entry.owner}")
    owner = entry.owner
    return Tool(entry.spec.name, owner.version, entry.spec.target, options, str(owner))
