"""sweep: how the jobs of a sweep stand, and what came of them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from nnplug.config.sweeping import VAL_DICE
from nnplug.console import say
from nnplug.sweeps import jobs, table
from nnplug.sweeps.jobs import RUNNING, WAITING
from nnplug.sweeps.table import Row

WATCH_SECONDS = 2.0
# Values such as [z,y] are no markup.
OUTPUT = Console(highlight=False, soft_wrap=True, markup=False)


def main(arguments: list[str]) -> None:
    """The verb."""
    parser = argparse.ArgumentParser(prog="nnplug sweep", description=__doc__)
    verbs = parser.add_subparsers(dest="what", required=True)
    status = verbs.add_parser("status", help="every job, while they run and afterwards")
    status.add_argument("--watch", action="store_true", help="until nothing runs any more")
    status.add_argument("--json", action="store_true", help="to standard output")
    result = verbs.add_parser("table", help="results, with folds and repeats averaged")
    result.add_argument("--csv", type=Path, metavar="FILE", help="and FILE_mean.csv, FILE.png")
    for one in (status, result):
        one.add_argument("folder", type=Path, metavar="DIR", help="sweep.dir")
    chosen = parser.parse_args(arguments)
    folder = chosen.folder.expanduser().resolve()
    if chosen.what == "table":
        _table(folder, chosen.csv)
    elif chosen.json:
        sys.stdout.write(json.dumps(_plain(table.rows(jobs.of(folder))), indent=2) + "\n")
    elif chosen.watch:
        _watch(folder)
    else:
        OUTPUT.print(_status(table.rows(jobs.of(folder))))


def _watch(folder: Path) -> None:
    with Live(console=OUTPUT, auto_refresh=False) as live:
        while True:
            found = table.rows(jobs.of(folder))
            live.update(_status(found), refresh=True)
            if not {RUNNING, WAITING} & {row.state.status for row in found}:
                return
            time.sleep(WATCH_SECONDS)


def _status(found: Sequence[Row]) -> Group:
    keys = list(dict.fromkeys(key for row in found for key in row.varied))
    shown = Table("job", *keys, "status", "epoch", "loss", "Dice", "left", "host", "why")
    for row in found:
        state, live = row.state, row.state.live
        shown.add_row(
            row.job.name,
            *(row.varied.get(key, "") for key in keys),
            state.status,
            f"{live['epoch']}/{live['epochs']}" if live else "",
            _number(live.get("loss")),
            _number(state.metrics.get(VAL_DICE, live.get("dice"))),
            _left(live["ends"] - time.time()) if live and state.status == RUNNING else "",
            state.host or "",
            (state.error or "").splitlines()[0] if state.error else "",
        )
    counted = Counter(row.state.status for row in found)
    return Group(shown, ", ".join(f"{number} {status}" for status, number in counted.items()))


def _table(folder: Path, path: Path | None) -> None:
    found = table.rows(jobs.of(folder))
    names = table.figures(found)
    averaged = table.means(found)
    keys = list(dict.fromkeys(key for one in averaged for key in one.varied))
    shown = Table(*keys, "jobs", *names)
    for one in averaged:
        shown.add_row(
            *(one.varied.get(key, "") for key in keys),
            str(one.jobs) if one.done == one.jobs else f"{one.done} of {one.jobs}",
            *(_spread(one.mean.get(name), one.sd.get(name)) for name in names),
        )
    OUTPUT.print(_rows(found, names))
    OUTPUT.print(shown)
    if path is not None:
        for written in table.write(found, path):
            say(f"wrote {written}")


def _rows(found: Sequence[Row], names: Sequence[str]) -> Table:
    keys = list(dict.fromkeys(key for row in found for key in row.varied))
    shown = Table("job", *keys, "status", *names)
    for row in found:
        shown.add_row(
            row.job.name,
            *(row.varied.get(key, "") for key in keys),
            row.state.status,
            *(_number(row.state.metrics.get(name)) for name in names),
        )
    return shown


def _plain(found: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {"job": row.job.name, "folder": str(row.job.folder), "varied": dict(row.varied)}
        | vars(row.state)
        for row in found
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _spread(mean: float | None, sd: float | None) -> str:
    return _number(mean) if mean is None or sd is None else f"{mean:.4g} ± {sd:.2g}"


def _left(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
