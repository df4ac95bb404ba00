"""Hydra around a verb: its grammar, with nnplug's names, paths and errors."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import hydra
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from hydra.plugins.plugin import Plugin
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import YAMLError

from nnplug.catalog import Catalog, missing_hint
from nnplug.config import choices, guard, origin
from nnplug.config.build import unknown_key
from nnplug.config.groups import SCHEME, CatalogSource, provider
from nnplug.config.task import Task, call
from nnplug.errors import ConfigError, NnplugError

USER_CONF_VARIABLE = "NNPLUG_CONF"
USER_CONF_FOLDER = "nnplug_conf"
NO_JOBS = ("hydra/launcher=basic", "hydra/sweeper=basic")

SHORT = {"resume": "resume.newest", "pretrained": "pretrained.model"}


class Sweep(Protocol):
    """What ``-m`` does."""

    @property
    def plugins(self) -> Sequence[type[Plugin]]:
        """Offered to Hydra."""
        ...

    def __call__(self, config: DictConfig) -> Any:
        """Called for each job by launchers that are not among these."""
        ...

    def conclude(self) -> None:
        """Called after the last job; raises for jobs that did not end well."""
        ...


def run(verb: str, task: Task, catalog: Catalog, sweep: Sweep) -> None:
    """Compose the verb's config from ``sys.argv`` and call ``task`` with it as plain data.

    With ``-m`` it is ``sweep`` that gets the jobs.

    Raises:
        ConfigError: an override or a config file can't be composed.
        NnplugError: whatever the task raises.
    """
    _offer(catalog)
    sys.argv[1:] = _in_full(sys.argv[1:])
    guard.check_flags(sys.argv[1:])
    for plugin in sweep.plugins:
        Plugins.instance().register(plugin)
    raised: list[NnplugError] = []
    called: list[bool] = []

    def job(config: DictConfig) -> Any:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return sweep(config)
        values = OmegaConf.to_container(config, resolve=True)
        assert isinstance(values, dict)
        called.append(True)
        try:
            with origin.Files.of(HydraConfig.get()).named():
                return call(task, {str(key): value for key, value in values.items()}, catalog)
        except NnplugError as error:
            raised.append(error)
            return None

    asked_for_traceback = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        hydra.main(version_base="1.3", config_path="pkg://nnplug.conf", config_name=verb)(job)()
    except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
        if asked_for_traceback == "1" or (called and type(error) is ValueError):
            raise
        raise _translate(error, catalog) from None
    finally:
        if asked_for_traceback is None:
            os.environ.pop("HYDRA_FULL_ERROR", None)
        else:
            os.environ["HYDRA_FULL_ERROR"] = asked_for_traceback
    if raised:
        raise raised[0]
    sweep.conclude()


def compose(
    verb: str, overrides: Sequence[str], catalog: Catalog
) -> tuple[dict[str, Any], origin.Files]:
    """The verb's config as plain data, and its files; without a command line.

    Raises:
        ConfigError: an override or a config file can't be composed.
    """
    _offer(catalog)
    try:
        with hydra.initialize_config_module("nnplug.conf", version_base="1.3"):
            words = [*_in_full(overrides), *NO_JOBS]
            config = hydra.compose(verb, words, return_hydra_config=True)
            files = origin.Files.of(config.hydra)
            with flag_override(config, ["struct", "readonly"], False):
                del config["hydra"]
            values = OmegaConf.to_container(config, resolve=True)
    except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
        raise _translate(error, catalog) from None
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}, files


def _in_full(overrides: Sequence[str]) -> list[str]:
    """Short forms as what they stand for, so that other keys of their group may go with them."""
    written = []
    for one in overrides:
        group, _, value = one.partition("=")
        whole = value.startswith("{")  # resume={extend: 5}
        written.append(one if whole or group not in SHORT else f"{SHORT[group]}={value}")
    return written


def _offer(catalog: Catalog) -> None:
    """Make the plugins' names and config folders known to Hydra."""
    _SearchPath.plugin_paths = [(provider(owner), path) for owner, path in catalog.config_paths]
    Plugins.instance().register(_SearchPath)
    guard.install([path for _, path in catalog.config_paths])
    CatalogSource.catalog = catalog
    Plugins.instance().register(CatalogSource)
    choices.offer(catalog)


class _SearchPath(SearchPathPlugin):
    """The user's own folder first, then nnplug's, then the plugins'."""

    plugin_paths: list[tuple[str, str]] = []  # noqa: RUF012 - Hydra constructs this class itself

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        named = os.environ.get(USER_CONF_VARIABLE)
        folder = Path(named or USER_CONF_FOLDER).expanduser().resolve()
        if folder.is_dir():
            search_path.prepend("user", f"file://{folder}")
        elif named:
            raise ConfigError(
                f"{USER_CONF_VARIABLE} names a folder that does not exist", where=str(folder)
            )
        for owner, path in self.plugin_paths:
            search_path.append(owner, path)
        search_path.append("catalog", f"{SCHEME}://")


def _translate(error: Exception, catalog: Catalog) -> NnplugError:
    """Hydra's and omegaconf's errors in nnplug's words, with near names."""
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, name = str(error.missing_cfg_file).partition("/")
        return ConfigError(
            f"there is no {group} called {name!r}",
            where=f"{group}={name}",
            hint=missing_hint(name, sorted(error.options), catalog.host),
        )
    cause = error.__cause__ or error
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and cause.parent_node is not None:
        parent = cause.parent_node
        known = [str(key) for key in parent] if isinstance(parent, DictConfig) else []
        prefix = parent._get_full_key(None) if isinstance(parent, DictConfig) else ""
        full = [f"{prefix}.{key}" if prefix else key for key in known if key != "hydra"]
        return unknown_key(cause.full_key or str(cause.key), full)
    text = re.sub(r"\n\s*(full_key|object_type)=.*", "", str(error))
    text = re.sub(r"\nSet the environment variable HYDRA_FULL_ERROR.*", "", text)
    kind = "the configuration can't be composed"
    if isinstance(error, ConfigCompositionException) and error.__cause__:
        text = f"{text} ({str(error.__cause__).splitlines()[0]})"
    return ConfigError(f"{kind}: {' '.join(text.split())}", hint="see `nnplug VERB --help`")
