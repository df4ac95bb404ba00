"""progress.jsonl and progress.csv: a row an epoch, in the run's folder.

After a resume an epoch that is trained again replaces its row, and those after it.
"""

from __future__ import annotations

import csv
import io
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnplug.runs import EpochReport, flat
from nnplug.stages.record import plain
from nnplug.whole import storage_errors, write_text

JSONL, CSV = "progress.jsonl", "progress.csv"
Row = dict[str, Any]


class Progress:
    """The rows of one run; ``session`` counts how often it was started."""

    def __init__(self, folder: Path, labels: Sequence[str], session: int) -> None:
        self.folder = folder
        self.labels = labels
        self.session = session
        self.rows = read(folder)
        self.repaired = False

    def add(self, report: EpochReport, pictures: Mapping[str, str]) -> None:
        """Append an epoch's row.

        Args:
            report: of the engine.
            pictures: name to path below the run's folder.

        Raises:
            StorageError: nothing can be written there.
        """
        row = self._row(report, pictures)
        kept = [old for old in self.rows if old["epoch"] < row["epoch"]]
        # The first row of a process may follow the half of a line of one that was killed.
        anew = not self.repaired or len(kept) < len(self.rows)
        self.rows = [*kept, row]
        if anew:
            write_text(self.folder / JSONL, "".join(map(_line, self.rows)))
            write_text(self.folder / CSV, _table(self.rows, self.rows))
        else:
            _append(self.folder / JSONL, _line(row))
            _append(self.folder / CSV, _table(self.rows[:1], [row], header=False))
        self.repaired = True

    def _row(self, report: EpochReport, pictures: Mapping[str, str]) -> Row:
        known = [value for value in report.dice if math.isfinite(value)]
        named = len(report.dice) == len(self.labels)
        steps = max(report.steps, 1)
        return plain(
            {
                "epoch": report.epoch,
                "epochs": report.epochs,
                "session": self.session,
                "time": round(time.time(), 3),
                "train_loss": report.train_loss,
                "val_loss": report.val_loss,
                "dice": dict(zip(self.labels, report.dice, strict=True)) if named else {},
                "mean_dice": sum(known) / len(known) if known else None,
                "lr": report.lr,
                "seconds": report.seconds,
                "seconds_per_step": {
                    "loading": report.seconds_loading / steps,
                    "computing": report.seconds_computing / steps,
                },
                "memory_mib": report.memory,
                "gpu_memory_mib": report.gpu_memory,
                "pictures": dict(pictures),
            }
        )


def read(folder: Path) -> list[Row]:
    """The rows that are whole, by epoch."""
    path = folder / JSONL
    if not path.is_file():
        return []
    rows: list[Row] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("epoch"), int):
            rows.append(row)
    return rows


def figures(row: Row) -> dict[str, float]:
    """The finite numbers of a row, in one level."""
    return {
        name: float(value)
        for name, value in flat(row).items()
        if isinstance(value, int | float) and name not in ("epoch", "epochs", "session", "time")
    }


def _line(row: Row) -> str:
    return json.dumps(row, allow_nan=False, ensure_ascii=False) + "\n"


def _table(of: Sequence[Row], rows: Sequence[Row], *, header: bool = True) -> str:
    columns = [name for name in flat(of[0]) if not name.startswith("pictures")]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(flat(row) for row in rows)
    return text.getvalue()


def _append(path: Path, text: str) -> None:
    with storage_errors(path), path.open("a", encoding="utf-8") as stream:
        stream.write(text)
