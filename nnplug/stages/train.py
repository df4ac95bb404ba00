"""train: from source images (or whatever is there already) to a validated model."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import model_settings
from nnplug.config.settings import ModelSettings
from nnplug.console import console, say
from nnplug.stages import device, needs, pretrained
from nnplug.stages.fold import Fold
from nnplug.stages.fold_training import train as train_fold
from nnplug.stages.locking import locked
from nnplug.stages.steps import Look, Step, listed, walk

if TYPE_CHECKING:
    from nnplug.engine.job import TrainResult


def main(config: Mapping[str, Any], catalog: Catalog) -> None:
    """The verb."""
    settings = model_settings(config, catalog)
    if not settings.dry_run:
        run(settings, catalog, config)
        return
    for step, found in dry_run(settings, catalog, config):
        sys.stdout.write(f"{found.state:8}{step.name:50}{found.why}".rstrip() + "\n")


def run(settings: ModelSettings, catalog: Catalog, config: Mapping[str, Any]) -> TrainResult:
    """Do what is missing of all that the fold needs, then train and validate it.

    Raises:
        NnplugError: whatever keeps the fold from being trained; what is done is kept.
    """
    folders = Folders.below(settings.paths.root)
    entered = device.enter(settings, catalog, folders)
    target = Fold(settings, catalog, folders, config)
    for fold in filter(None, (target, target.first_stage)):
        fold.mount()
    pretrained.of(target)
    before = needs.data(target)
    walk(before, entered)
    walk(needs.first_stage(target, before), entered)
    with locked(target.folder, "is being trained", what=target.name):
        result = train_fold(target, entered)
    _print_summary(result, settings)
    return result


def dry_run(
    settings: ModelSettings, catalog: Catalog, config: Mapping[str, Any]
) -> list[tuple[Step, Look]]:
    """The steps of :func:`run` and what is there of them; nothing is done.

    Raises:
        NnplugError: what :func:`run` would find out before it does anything.
    """
    target = Fold(settings, catalog, Folders.below(settings.paths.root), config)
    steps = needs.data(target)
    steps += needs.first_stage(target, steps)
    return listed([*steps, *needs.own(target, steps)])


def _print_summary(result: TrainResult, settings: ModelSettings) -> None:
    summary = _read_summary(result.summary_json)
    table = Table("label", "validation Dice")
    names = {str(value): name for name, value in settings.dataset.labels.items()}
    for value, figures in summary.items():
        if value != "0":
            table.add_row(names.get(value, value), f"{figures.get('Dice', float('nan')):.4f}")
    if result.mean_dice is not None:
        table.add_row("mean", f"{result.mean_dice:.4f}")
    console().print(table)
    say(f"model: {result.model_folder}")
    say(
        f"next: nnplug predict model={result.model_folder} folds=[{settings.fold}] "
        "input=DIR output=DIR"
    )


def _read_summary(path: Path) -> dict[str, dict[str, float]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    mean: dict[str, dict[str, float]] = content["results"]["mean"]
    return mean
