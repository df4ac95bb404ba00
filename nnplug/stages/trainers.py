"""trainers: what can be trained with, who brought it, in which modes, and what is broken."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from rich.table import Table

from nnplug import stock
from nnplug.catalog import Catalog
from nnplug.console import console
from nnplug.errors import PluginError
from nnplug.types import TrainerSpec


@dataclass(frozen=True)
class Row:
    """One trainer.

    Attributes:
        name: as in ``trainer=NAME`` or, of nnU-Net's own, in ``trainer.name=NAME``.
        owner: the package and its version.
        mode: ``single``, ``dp`` (DataParallel), ``ddp`` or ``cascade``; "" if unknown.
        problem: why it can't be used here, or "".
    """

    name: str
    owner: str
    mode: str
    problem: str = ""


def main(arguments: list[str]) -> None:
    """The verb."""
    parser = argparse.ArgumentParser(prog="nnplug trainers", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON to standard output")
    chosen = parser.parse_args(arguments)
    rows = list(listed(Catalog.build()))
    if chosen.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
        return
    table = Table("trainer", "owner", "mode", "problem")
    for row in rows:
        table.add_row(*asdict(row).values())
    console().print(table)


def listed(catalog: Catalog) -> Iterator[Row]:
    """The catalog's trainers, then nnU-Net's own; each is imported to see whether it can be."""
    for entry in catalog.trainers:
        yield _row(entry.spec, f"{entry.owner.distribution} {entry.owner.version}")
    for spec in stock.trainers():
        yield _row(spec, f"{stock.OWNER} {stock.installed()}")


def _row(spec: TrainerSpec, owner: str) -> Row:
    from nnplug.engine import mounting, trainers
    from nnplug.engine.output import quiet

    try:
        with quiet(None):
            kind = mounting.trainer_kind(spec)
            cls = mounting.load(kind, spec.target, owner)
            mounting.check_constructor(kind, cls, owner)
            return Row(spec.name, owner, trainers.mode(cls))
    except PluginError as error:
        return Row(spec.name, owner, stock.mode(spec.target.partition(":")[2]), error.problem)
