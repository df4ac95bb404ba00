"""scan: what a folder of scans holds, and what each thing can be used as."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nnplug.catalog import Catalog, Entry
from nnplug.console import say
from nnplug.stages import sources
from nnplug.types import ConverterSpec, Found, Survey

COLUMNS = ("path", "kind", "subject", "study", "description", "n", "size", "spacing", "use")
WIDE = 220


def main(arguments: list[str]) -> None:
    """The verb."""
    parser = argparse.ArgumentParser(prog="nnplug scan", description=__doc__)
    parser.add_argument("source", help="the folder to look at")
    parser.add_argument("settings", nargs="*", metavar="converter=NAME")
    parser.add_argument("--json", action="store_true", help="print JSON to standard output")
    chosen = parser.parse_args(arguments)
    name = sources.settings(chosen.settings, ["converter"]).get("converter")
    surveys = run(sources.folder(chosen.source), Catalog.build(), name)
    if chosen.json:
        plain = {converter: asdict(survey) for converter, survey in surveys.items()}
        sys.stdout.write(json.dumps(plain, indent=2) + "\n")
        return
    for converter, survey in surveys.items():
        _print(converter, survey)


def run(root: Path, catalog: Catalog, name: str | None = None) -> Mapping[str, Survey]:
    """Converter to survey, of the named converter or of every one that recognises ``root``.

    Raises:
        SourceError: no converter recognises it, or it can't be understood.
        PluginError: there is no converter of that name, or its plugin fails.
    """
    entries: list[Entry[ConverterSpec]]
    if name is not None:
        entries = [catalog.converters.get(name)]
    else:
        entries = [catalog.converters.get(claim) for claim in sources.claims(root, catalog)]
    return {
        entry.spec.name: sources.survey(entry, root)
        for entry in entries or [sources.choose(root, catalog)]
    }


def _print(converter: str, survey: Survey) -> None:
    target = Console(file=sys.stdout)
    if not target.is_terminal:
        target = Console(file=sys.stdout, width=WIDE)
    table = Table(*COLUMNS, title=f"converter {converter}")
    for found in survey.found:
        table.add_row(*(Text(cell) for cell in _cells(found)))
    target.print(table)
    refused = sum(bool(found.problem) for found in survey.found)
    say(f"{len(survey.found) - refused} can be used, {refused} can't")
    channels = ", ".join(f"{number}: {name}" for number, name in survey.channels.items())
    labels = ", ".join(f"{name}: {value}" for name, value in survey.labels.items())
    say(f"channels: {{{channels}}}" + (f", labels: {{{labels}}}" if labels else ""))


def _cells(found: Found) -> tuple[str, ...]:
    return (
        found.path,
        found.kind,
        found.subject,
        found.study,
        found.description,
        str(found.count),
        " x ".join(map(str, found.size)),
        " x ".join(f"{edge:.4g}" for edge in found.spacing),
        f"no: {found.problem}" if found.problem else ", ".join(found.use),
    )
