"""Every verb as a function: ``nnplug.train(["dataset=mine", "fold=0"])``.

Each takes overrides as the command line does, and returns its result. Errors are raised as
:class:`nnplug.errors.NnplugError`; nothing exits, and ``sys.argv`` is not looked at. What is
done is said on standard error as on the command line.

nnU-Net reads its folders when it is imported, so a process serves one ``paths.root``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from nnplug.catalog import Catalog
    from nnplug.data.problems import Report
    from nnplug.data.summary import Scores
    from nnplug.engine.job import TrainResult
    from nnplug.engine.prediction import CaseResult
    from nnplug.engine.selection import Candidate
    from nnplug.stages.bundle import Exported, Listed
    from nnplug.stages.convert import Result
    from nnplug.stages.steps import Look
    from nnplug.stages.trainers import Row
    from nnplug.types import Survey

T = TypeVar("T")


def convert(overrides: Sequence[str] = ()) -> Result:
    """Convert source images to a task folder; returns what was done."""

    def task(config: Mapping[str, Any], catalog: Catalog) -> Result:
        from nnplug.config.load import data_settings
        from nnplug.stages import convert
        from nnplug.sweeps.shards import Shards

        shards = Shards.wanted("convert", config)
        return convert.run(data_settings(config, catalog), catalog, shards)

    return _run("convert", task, overrides)


def check(overrides: Sequence[str] = ()) -> Report:
    """Look for mistakes in a task folder or a source; returns them, and raises for none."""

    def task(config: Mapping[str, Any], catalog: Catalog) -> Report:
        from nnplug.config.load import data_settings
        from nnplug.stages import check

        return check.run(data_settings(config, catalog), catalog)

    return _run("check", task, overrides)


def plan(overrides: Sequence[str] = ()) -> str:
    """Plan and preprocess; returns the plans identifier to train with."""

    def task(config: Mapping[str, Any], catalog: Catalog) -> str:
        from nnplug.config.folders import Folders
        from nnplug.config.load import model_settings
        from nnplug.stages import device, plan

        settings = model_settings(config, catalog)
        folders = Folders.below(settings.paths.root)
        device.enter(settings, catalog, folders)
        return plan.run(settings, catalog, folders)

    return _run("plan", task, overrides)


def train(overrides: Sequence[str] = ()) -> TrainResult:
    """Convert and plan what is missing, train one fold and validate it."""

    def task(config: Mapping[str, Any], catalog: Catalog) -> TrainResult:
        from nnplug.config.load import model_settings
        from nnplug.errors import ConfigError
        from nnplug.stages import train

        settings = model_settings(config, catalog)
        if settings.dry_run:
            raise ConfigError("train trains", where="dry_run", hint="nnplug.train_steps([...])")
        return train.run(settings, catalog, config)

    return _run("train", task, overrides)


def train_steps(overrides: Sequence[str] = ()) -> dict[str, Look]:
    """What ``train`` would do: each step by name, and whether it is done; does nothing."""

    def task(config: Mapping[str, Any], catalog: Catalog) -> dict[str, Look]:
        from nnplug.config.load import model_settings
        from nnplug.stages import train

        steps = train.dry_run(model_settings(config, catalog), catalog, config)
        return {step.name: look for step, look in steps}

    return _run("train", task, overrides)


def predict(overrides: Sequence[str] = ()) -> list[CaseResult]:
    """Segment new images; returns one result for each case that had no mask yet."""

    def task(config: Mapping[str, Any], catalog: Catalog) -> list[CaseResult]:
        from nnplug.config.load import predict_settings
        from nnplug.stages import predict
        from nnplug.sweeps.shards import Shards

        shards = Shards.wanted("predict", config)
        return predict.run(predict_settings(config, catalog), catalog, shards)

    return _run("predict", task, overrides)


def best(overrides: Sequence[str] = ()) -> Candidate:
    """Compare networks and their pairs by cross-validation; returns the best."""

    def task(config: Mapping[str, Any], catalog: Catalog) -> Candidate:
        from nnplug.config.load import best_settings
        from nnplug.stages import best

        return best.run(best_settings(config, catalog), catalog)

    return _run("best", task, overrides)


def evaluate(overrides: Sequence[str] = ()) -> Scores:
    """Score predictions against reference labels."""

    def task(config: Mapping[str, Any], catalog: Catalog) -> Scores:
        from nnplug.config.load import evaluate_settings
        from nnplug.stages import evaluate

        return evaluate.run(evaluate_settings(config))

    return _run("evaluate", task, overrides)


def scan(source: str | Path, converter: str | None = None) -> Mapping[str, Survey]:
    """What a folder of scans holds: converter to survey, of those that recognise it."""
    from nnplug.catalog import Catalog
    from nnplug.stages import scan, sources

    return scan.run(sources.folder(str(source)), Catalog.build(), converter)


def trainers() -> list[Row]:
    """Every trainer: those of plugins, then nnU-Net's own, and what can't be used."""
    from nnplug.catalog import Catalog
    from nnplug.stages import trainers

    return list(trainers.listed(Catalog.build()))


def bundle_export(words: Sequence[str]) -> Exported:
    """Write a model as one zip file; the words are those after ``nnplug bundle export``."""
    from nnplug.stages import bundle, bundle_request

    return bundle.exported(bundle_request.parse(["export", *words]))


def bundle_import(words: Sequence[str]) -> list[Listed]:
    """Import a zip file; returns its models, whose names ``model=`` takes."""
    from nnplug.stages import bundle, bundle_request

    return bundle.imported(bundle_request.parse(["import", *words]))


def bundle_list(words: Sequence[str] = ()) -> list[Listed]:
    """Every model that is here."""
    from nnplug.stages import bundle, bundle_request

    return bundle.listed(bundle_request.parse(["list", *words]))


def _run(verb: str, task: Callable[[Mapping[str, Any], Catalog], T], overrides: Sequence[str]) -> T:
    from nnplug.catalog import Catalog
    from nnplug.config import app
    from nnplug.config.task import call
    from nnplug.errors import ConfigError

    if isinstance(overrides, str):
        raise ConfigError(f"a list is wanted here: [{overrides!r}]", where=f"nnplug.{verb}")
    catalog = Catalog.build()
    config, files = app.compose(verb, overrides, catalog)
    with files.named():
        result: T = call(task, config, catalog)
    return result
