"""diff: what differs between two runs: configuration, data, software, hardware, results."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnplug.runs import flat
from nnplug.stages import progress, record

SECTIONS = {
    "data": ("data_hash", "plans", "split"),
    "software": ("trainer", "versions", "plugins", "sources", "packages"),
    "hardware": ("device", "threads", "hardware"),
    "results": ("status", "result"),
}
LOSSES = ("train_loss", "val_loss")

Differences = dict[str, dict[str, list[Any]]]


def main(arguments: list[str]) -> None:
    """The verb."""
    parser = argparse.ArgumentParser(prog="nnplug diff", description=__doc__)
    parser.add_argument("first", type=Path, help="the folder of a fold: the one with run.json")
    parser.add_argument("second", type=Path)
    parser.add_argument("--json", action="store_true", help="print JSON to standard output")
    chosen = parser.parse_args(arguments)
    found = compare(chosen.first.expanduser(), chosen.second.expanduser())
    if chosen.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in told(found))


def compare(first: Path, second: Path) -> Differences:
    """By section and key, what the two runs have; equal things are left out.

    The results have the first epoch whose losses differ, too.

    Raises:
        DataError: one of them is no run's folder.
    """
    runs = record.read(first), record.read(second)
    found = {"config": differing(*(run["config"] for run in runs))}
    for section, keys in SECTIONS.items():
        found[section] = differing(*({key: run.get(key) for key in keys} for run in runs))
    epoch = _first_differing_epoch(progress.read(first), progress.read(second))
    if epoch is not None:
        found["results"]["first epoch with other losses"] = [epoch, epoch]
    return found


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The keys of either, in one level, whose values differ; None where one has no such key."""
    one, other = flat(first), flat(second)
    return {
        key: [one.get(key), other.get(key)]
        for key in {**one, **other}
        if one.get(key) != other.get(key)
    }


def told(found: Differences) -> list[str]:
    """The differences as lines."""
    lines = []
    for section, pairs in found.items():
        lines.append(f"{section}: {'' if pairs else 'the same'}".rstrip())
        lines += [
            f"  {key}: {_short(one)} | {_short(other)}" for key, (one, other) in pairs.items()
        ]
    return lines


def _first_differing_epoch(first: list[progress.Row], second: list[progress.Row]) -> int | None:
    for one, other in zip(first, second, strict=False):
        if any(one.get(loss) != other.get(loss) for loss in LOSSES):
            return int(one["epoch"])
    return None


def _short(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)
