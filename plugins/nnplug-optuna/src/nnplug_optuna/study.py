"""The study of a sweep: where it is stored, who samples, who prunes."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from nnplug.errors import ConfigError
from nnplug_optuna.options import OptunaOptions

NAME = "nnplug"
SAMPLERS = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "grid": "RandomSampler",  # what is to be tried stands in the study already
    "nsgaii": "NSGAIISampler",
    "cmaes": "CmaEsSampler",
    "gp": "GPSampler",
    "qmc": "QMCSampler",
}
PRUNERS = {
    "none": "NopPruner",
    "median": "MedianPruner",
    "halving": "SuccessiveHalvingPruner",
    "hyperband": "HyperbandPruner",
}

optuna.logging.set_verbosity(optuna.logging.WARNING)


def create(folder: Path, options: OptunaOptions, goals: Mapping[str, bool]) -> optuna.Study:
    """The study in the sweep's folder; ``goals`` says of each objective whether more is better.

    Raises:
        ConfigError: an option that Optuna doesn't know, or a package that it misses.
    """
    if options.sampler == "cmaes" and importlib.util.find_spec("cmaes") is None:
        raise ConfigError(
            "the sampler cmaes needs a package that is not installed",
            where="sweep.search.sampler",
            hint="pip install cmaes",
        )
    given = dict(options.sampler_options)
    if options.sampler != "grid":
        given["seed"] = options.seed
    sampler = _made(optuna.samplers, SAMPLERS[options.sampler], given, "sampler")
    study = optuna.create_study(
        storage=storage(folder, options),
        sampler=sampler,
        pruner=pruner(options),
        study_name=NAME,
        directions=["maximize" if more else "minimize" for more in goals.values()],
        load_if_exists=True,
    )
    if study.get_trials(deepcopy=False):
        sampler.reseed_rng()  # a seed is not to propose the same again
    return study


def load(folder: Path, options: OptunaOptions) -> optuna.Study:
    """The same for a job, which asks for nothing but pruning."""
    return optuna.load_study(
        study_name=NAME,
        storage=storage(folder, options),
        sampler=optuna.samplers.RandomSampler(),
        pruner=pruner(options),
    )


def pruner(options: OptunaOptions) -> optuna.pruners.BasePruner:
    """Who prunes; raises ConfigError for an option that it doesn't know."""
    made = _made(optuna.pruners, PRUNERS[options.pruner], options.pruner_options, "pruner")
    assert isinstance(made, optuna.pruners.BasePruner)
    return made


def storage(folder: Path, options: OptunaOptions) -> BaseStorage:
    """In the sweep's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if options.storage == "sqlite":
        # Several workers write; each waits for the others.
        waiting = {"connect_args": {"timeout": 60}}
        return RDBStorage(f"sqlite:///{folder / 'study.sqlite'}", engine_kwargs=waiting)
    path = folder / "study.journal"
    return JournalStorage(JournalFileBackend(str(path), lock_obj=_Lock(path)))


class _Lock(JournalFileOpenLock):
    """One that the system frees when who holds it is killed."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path.with_name(f"{path.name}.lock"))

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _made(module: Any, name: str, given: Mapping[str, Any], key: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return getattr(module, name)(**given)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"Optuna's {name} can't be made: {error}", where=f"sweep.search.{key}_options"
        ) from error
