"""What a composed config may make Hydra construct or import: a known list, nothing else.

Hydra builds its launcher, sweeper, callbacks and loggers from names in the config, imports the
packages of its search path, and sets variables for its jobs. All of these are vetted after every
composition and before Hydra acts on it, so that a config stays data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import hydra._internal.hydra as hydra_application
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException

from nnplug.errors import ConfigError

PACKAGES = {"pkg://hydra.conf", "pkg://nnplug.conf"}
LOGGING = ("hydra.hydra_logging", "hydra.job_logging")
LOGGING_CLASSES = {
    *("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler", "logging.Formatter"),
    *("logging.handlers.RotatingFileHandler", "colorlog.ColoredFormatter"),
}
LOGGING_STREAMS = {"ext://sys.stdout", "ext://sys.stderr"}
SAMPLERS = re.compile(r"optuna\.samplers\.[A-Z][A-Za-z0-9]*")
VARIABLES = re.compile(
    r"CUDA_VISIBLE_DEVICES|CUDA_DEVICE_ORDER|(OMP|MKL|OPENBLAS|NUMEXPR)_NUM_THREADS"
    r"|NCCL_[A-Z0-9_]+|nnUNet_n_proc_DA"
)
HINT = "a config only names things; code comes from installed plugins"


def install(packages: list[str]) -> None:
    """Vet every composition of this process; ``packages`` are the plugins' config paths."""
    _Vetted.packages = PACKAGES | set(packages)
    hydra_application.ConfigLoaderImpl = _Vetted  # type: ignore[attr-defined]


def check_flags(arguments: list[str]) -> None:
    """Refuse Hydra's flags that unpickle a file or import a package.

    Raises:
        ConfigError: such a flag is there.
    """
    chosen, _ = get_args_parser().parse_known_args(arguments)
    if chosen.experimental_rerun is not None:
        raise ConfigError(
            "a pickled job runs code when it is read", where="--experimental-rerun", hint=HINT
        )
    if chosen.config_path is not None:
        _check_path(f"file://{chosen.config_path}", "--config-path", PACKAGES)


class _Vetted(ConfigLoaderImpl):
    packages: set[str] = PACKAGES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._validated: dict[tuple[str, ...], DictConfig] = {}

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """A job's config; Hydra asks twice, to validate it and to run it."""
        key = tuple(sweep_overrides)
        validated = self._validated.pop(key, None)
        if validated is not None:
            return validated
        config = super().load_sweep_config(master_config, sweep_overrides)
        self._validated[key] = config
        return config

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        for path in self._search_path(config_name, overrides):
            _check_path(path, "hydra.searchpath", self.packages)
        config = super().load_configuration(
            config_name, overrides, run_mode, from_shell, validate_sweep_overrides
        )
        _check(config)
        return config

    def _search_path(self, config_name: str | None, overrides: list[str]) -> Iterator[Any]:
        for override in OverridesParser.create().parse_overrides(overrides):
            if override.key_or_group == "hydra.searchpath":
                yield from _listed(override.value())
        loaded = self.repository.load_config(config_name) if config_name else None
        if loaded is not None and isinstance(loaded.config, DictConfig):
            yield from _listed(OmegaConf.select(loaded.config, "hydra.searchpath"))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | ListConfig) else [value]


def _check_path(path: Any, where: str, packages: set[str]) -> None:
    text = str(path).removeprefix("file://")
    if path is not None and "://" in text and text.rstrip("/") not in packages:
        raise ConfigError(f"{text} names a package to import", where=where, hint=HINT)


def _check(config: DictConfig) -> None:
    """Raise a ConfigError if Hydra would construct something that is not on the lists."""
    for kind, base in (("launcher", Launcher), ("sweeper", Sweeper)):
        for key, value in _walk(config, f"hydra.{kind}"):
            if key == f"hydra.{kind}._target_":
                known = {f"{cls.__module__}.{cls.__name__}" for cls in Plugins().discover(base)}
                _allow(value in known, key, value)
            elif key.endswith("._target_"):
                _allow(SAMPLERS.fullmatch(str(value)) is not None, key, value)
    for key, value in _walk(config, "hydra.callbacks"):
        _allow(not key.endswith("._target_"), key, value)
    for node in LOGGING:
        for key, value in _walk(config, node):
            if key.endswith((".class", ".()", ".queue", ".listener", "._target_")):
                _allow(value in LOGGING_CLASSES, key, value)
            elif re.match(r"[a-z]+://", str(value)):
                _allow(value in LOGGING_STREAMS, key, value)
    for key, value in _walk(config, "hydra.job.env_set"):
        name = key.removeprefix("hydra.job.env_set.")
        _allow(VARIABLES.fullmatch(name) is not None, key, value)


def _allow(allowed: bool, key: str, value: Any) -> None:
    if not allowed:
        raise ConfigError(f"{value!r} is not allowed here", where=key, hint=HINT)


def _walk(config: DictConfig, key: str) -> Iterator[tuple[str, Any]]:
    """Every leaf below ``key`` with what it resolves to.

    A text around an interpolation can only become a text, so it may name what is known later,
    such as the output folder.
    """
    node = OmegaConf.select(config, key, throw_on_missing=False)
    yield from _leaves(node, key)


def _leaves(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict | list):
        node = OmegaConf.create(node)
    if isinstance(node, DictConfig):
        for name in node:
            path = f"{key}." + str(name)
            yield from _leaves(_value(node, name, path), path)
    elif isinstance(node, ListConfig):
        for index in range(len(node)):
            yield from _leaves(_value(node, index, f"{key}.{index}"), f"{key}.{index}")
    else:
        yield key, node


def _value(node: DictConfig | ListConfig, name: Any, key: str) -> Any:
    if OmegaConf.is_missing(node, name):
        return None
    try:
        return node[name]
    except InterpolationToMissingValueError:
        pass
    except OmegaConfBaseException as error:
        raise ConfigError(str(error).splitlines()[0], where=key) from None
    unresolved: Any = node._get_node(name)
    raw = str(unresolved._value())
    _allow(not re.fullmatch(r"\$\{.*\}", raw), key, raw)
    return raw
