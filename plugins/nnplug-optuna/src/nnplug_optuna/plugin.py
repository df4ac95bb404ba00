"""What this package offers."""

from __future__ import annotations

from collections.abc import Iterable

from nnplug.hookspecs import hookimpl
from nnplug.runs import EpochReport, RunInfo
from nnplug.types import SearchSpec
from nnplug_optuna.options import OptunaOptions

NAME = "optuna"


@hookimpl
def nnplug_config_paths() -> Iterable[str]:
    """``sweep=optuna``."""
    return ["pkg://nnplug_optuna.conf"]


@hookimpl
def nnplug_searches() -> Iterable[SearchSpec]:
    """Optuna."""
    return [
        SearchSpec(
            name=NAME,
            target="nnplug_optuna.search:OptunaSearch",
            options=OptunaOptions,
            summary="samplers and pruners of Optuna",
        )
    ]


@hookimpl
def nnplug_epoch_end(run: RunInfo, epoch: EpochReport) -> None:
    """Let the pruner look, in the jobs of a search that has one."""
    search = (run.config.get("sweep") or {}).get("search") or {}
    if search.get("name") != NAME or search.get("trial") is None:
        return
    if search.get("pruner") in (None, "none"):
        return
    from nnplug_optuna import pruning

    pruning.look(run, epoch)
