"""Scores as JSON, as CSV tables and on the terminal."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from nnplug.config.settings import Evaluate
from nnplug.console import console, say
from nnplug.data.metrics import FIGURES, Score
from nnplug.data.summary import Comparison, Scores
from nnplug.whole import write_json, write_text

# Figure to its title and format on the terminal, so narrow that all fit into 80 columns.
TITLES = {
    "dice": ("Dice", ".3f"),
    "surface_dice": ("surf. Dice", ".3f"),
    "hd95_mm": ("HD95 mm", ".2f"),
    "assd_mm": ("ASSD mm", ".2f"),
    "volume_difference_ml": ("vol. ml", "+.2f"),
}


def write(scores: Scores, subjects: Mapping[str, str], settings: Evaluate) -> list[Path]:
    """Write the JSON file and, beside it, the table of cases and that of subjects.

    Args:
        scores: to write.
        subjects: case to subject.
        settings: what was compared, and where to write.
    """
    output = settings.output
    write_json(output, _plain(_content(scores, settings)))
    models = {"prediction": scores.cases}
    if scores.comparison is not None:
        models["compare"] = scores.comparison.cases
    cases = (
        [model, case, subjects[case], label, *astuple(one)]
        for model, found in models.items()
        for case, per_label in found.items()
        for label, one in per_label.items()
    )
    by_subject = (
        [subject, label, *(figures[figure] for figure in FIGURES)]
        for subject, per_label in scores.subjects.items()
        for label, figures in per_label.items()
    )
    columns = [field.name for field in fields(Score)]
    tables = {
        output.with_suffix(".csv"): (["model", "case", "subject", "label", *columns], cases),
        output.with_name(f"{output.stem}_subjects.csv"): (
            ["subject", "label", *FIGURES],
            by_subject,
        ),
    }
    for path, (header, rows) in tables.items():
        write_text(path, _csv(header, rows))
    return [output, *tables]


def _content(scores: Scores, settings: Evaluate) -> dict[str, Any]:
    content: dict[str, Any] = {
        "reference": str(settings.reference),
        "prediction": str(settings.prediction),
        "tolerance_mm": settings.tolerance_mm,
        "bootstrap": {"resamples": settings.resamples, "seed": settings.seed},
        "mean_foreground_dice": scores.dice,
        "mean": scores.means,
        "interval_95": scores.intervals,
        "notes": scores.notes,
        "labels": scores.labels,
        "subjects": scores.subjects,
        "cases": _cases(scores.cases),
    }
    if scores.comparison is not None:
        content["compare"] = {
            "prediction": str(settings.compare),
            "mean": scores.comparison.means,
            "differences": {
                label: {figure: asdict(one) for figure, one in figures.items()}
                for label, figures in scores.comparison.differences.items()
            },
            "cases": _cases(scores.comparison.cases),
        }
    return content


def _cases(cases: Mapping[str, Mapping[str, Score]]) -> dict[str, dict[str, dict[str, Any]]]:
    return {
        case: {name: asdict(one) for name, one in per_label.items()}
        for case, per_label in cases.items()
    }


def _plain(value: Any) -> Any:
    """``value`` with null for NaN, which JSON does not have (RFC 8259, section 6)."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow("" if isinstance(v, float) and math.isnan(v) else v for v in row)
    return text.getvalue()


def show(scores: Scores) -> None:
    """Print the means, Dice with its interval, the comparison, and the notes."""
    dice, *others = TITLES
    table = _table("label", f"{TITLES[dice][0]} [95 %]", *(TITLES[f][0] for f in others))
    for name, figures in scores.means.items():
        cells = (f"{figures[f]:{TITLES[f][1]}}" for f in others)
        interval = _interval(figures[dice], scores.intervals[name][dice], TITLES[dice][1])
        table.add_row(escape(name), interval, *cells)
    table.add_row("mean", f"{scores.dice:.3f}")
    console().print(table)
    if scores.comparison is not None:
        console().print(_differences(scores.comparison))
    for note in scores.notes:
        say(f"note: {note[:300]}")


def _table(first: str, *others: str) -> Table:
    """A table without lines between columns; names in the first one break, nothing is cut."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    for other in others:
        table.add_column(escape(other), justify="right", no_wrap=True)
    return table


def _differences(comparison: Comparison) -> Table:
    table = _table("difference", "figure", "mean [95 %]", "p", "p (Holm)", "subjects")
    for label, figures in comparison.differences.items():
        for number, (figure, one) in enumerate(figures.items()):
            title, form = TITLES[figure]
            interval = _interval(one.mean, one.interval, f"+{form.removeprefix('+')}")
            table.add_row(
                *("" if number else escape(label), title, interval),
                *(f"{one.p:.2g}", f"{one.p_holm:.2g}", str(one.subjects)),
            )
    return table


def _interval(value: float, limits: tuple[float, float], form: str) -> str:
    low, high = limits
    text = f"{value:{form}}"
    return text if math.isnan(low) else escape(f"{text} [{low:{form}}, {high:{form}}]")
