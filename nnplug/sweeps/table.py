"""What came of a sweep: a row a job, and rows of what was repeated, with mean and sd."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnplug.config.sweeping import VAL_DICE, objectives
from nnplug.sweeps.jobs import DONE, Job, State
from nnplug.whole import replacing, write_text

FOLD, SEED = "fold", "seed"
ALWAYS = (VAL_DICE, "loss", "seconds")


@dataclass(frozen=True)
class Row:
    """One job: its name, what varied (override to value), how it stands."""

    job: Job
    varied: Mapping[str, str]
    state: State

    def __str__(self) -> str:
        return " ".join(f"{key}={value}" for key, value in self.varied.items())


@dataclass(frozen=True)
class Mean:
    """Jobs that differ in fold and seed only.

    Attributes:
        varied: what they have in common.
        jobs: how many there are.
        done: how many of them are done; only these count.
        mean, sd: by figure. With several seeds each seed's mean over its folds counts once, else
            each fold. The sd is that of a sample (n - 1); one has none.
    """

    varied: Mapping[str, str]
    jobs: int
    done: int
    mean: Mapping[str, float] = field(default_factory=dict)
    sd: Mapping[str, float] = field(default_factory=dict)


def rows(jobs: Sequence[Job]) -> list[Row]:
    """The jobs, with the overrides in which they differ."""
    contents = [dict(_pair(override) for override in job.content()["overrides"]) for job in jobs]
    keys = list(dict.fromkeys(key for content in contents for key in content))
    kept = [key for key in keys if len({content.get(key) for content in contents}) > 1]
    return [
        Row(job, {key: content[key] for key in kept if key in content}, job.state())
        for job, content in zip(jobs, contents, strict=True)
    ]


def figures(table: Sequence[Row]) -> list[str]:
    """The names of the figures to show: the objectives, and some that are always of interest."""
    named = [
        name
        for row in table
        for name in objectives(row.job.content()["config"].get("objective", VAL_DICE))
    ]
    found = {name for row in table for name in row.state.metrics}
    return [name for name in dict.fromkeys((*named, *ALWAYS)) if name in found]


def means(table: Sequence[Row]) -> list[Mean]:
    """Folds and repeats together."""
    groups: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in table:
        common = tuple((k, v) for k, v in row.varied.items() if k not in (FOLD, SEED))
        groups.setdefault(common, []).append(row)
    return [_mean(dict(common), members, figures(table)) for common, members in groups.items()]


def _mean(common: dict[str, str], members: list[Row], names: Sequence[str]) -> Mean:
    done = [row for row in members if row.state.status == DONE]
    mean, sd = {}, {}
    for name in names:
        repeats: dict[str | None, list[float]] = {}
        for row in done:
            if name in row.state.metrics:
                repeats.setdefault(row.varied.get(SEED), []).append(row.state.metrics[name])
        values = [statistics.fmean(folds) for folds in repeats.values()]
        if len(values) == 1:
            (values,) = repeats.values()
        if values:
            mean[name] = statistics.fmean(values)
        if len(values) > 1:
            sd[name] = statistics.stdev(values)
    return Mean(common, len(members), len(done), mean, sd)


def write(table: Sequence[Row], path: Path) -> list[Path]:
    """FILE.csv with a row a job, FILE_mean.csv, and FILE.png; returns them.

    Raises:
        StorageError: nothing can be written there.
    """
    names, keys = figures(table), list(dict.fromkeys(key for row in table for key in row.varied))
    found = [
        {"job": row.job.name, **row.varied, "status": row.state.status, **row.state.metrics}
        | {"error": row.state.error}
        for row in table
    ]
    averaged = means(table)
    beside, picture = path.with_name(f"{path.stem}_mean.csv"), path.with_suffix(".png")
    write_text(path, _csv(["job", *keys, "status", *names, "error"], found))
    columns = [f"{name}{part}" for name in names for part in ("", " sd")]
    write_text(
        beside,
        _csv(
            [*(key for key in keys if key not in (FOLD, SEED)), "jobs", "done", *columns],
            [
                {**one.varied, "jobs": one.jobs, "done": one.done, **one.mean}
                | {f"{name} sd": value for name, value in one.sd.items()}
                for one in averaged
            ],
        ),
    )
    written = [path, beside]
    if names and any(one.mean for one in averaged):
        _plot(averaged, names[0], picture)
        written.append(picture)
    return written


def _pair(override: str) -> tuple[str, str]:
    key, _, value = override.lstrip("+~").partition("=")
    return key, value


def _csv(columns: Sequence[str], found: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue()


def _plot(averaged: Sequence[Mean], name: str, path: Path) -> None:
    """The figure ``name`` of each setting, best at the top, its sd as a bar."""
    from matplotlib.figure import Figure

    shown = sorted((one for one in averaged if name in one.mean), key=lambda one: one.mean[name])
    labels = [" ".join(f"{k}={v}" for k, v in one.varied.items()) or "all" for one in shown]
    figure = Figure(figsize=(8, 1.2 + 0.3 * len(shown)), layout="constrained")
    axes = figure.subplots()
    spread = [one.sd.get(name, 0.0) for one in shown]
    axes.errorbar(
        [one.mean[name] for one in shown], range(len(shown)), xerr=spread, fmt="o", capsize=3
    )
    axes.set_yticks(range(len(shown)), labels)
    axes.set_xlabel(f"{name}, mean and sd")
    axes.grid(axis="x", alpha=0.3)
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
