"""Which file of a config group a wrong key comes from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from nnplug.config.build import UnknownKeyError


@contextmanager
def named() -> Iterator[None]:
    """Unknown keys are told with their file and its plugin; to be used in a job of Hydra.

    Raises:
        UnknownKeyError: as raised inside.
    """
    try:
        yield
    except UnknownKeyError as error:
        found = _file(error.where or "")
        if found is None:
            raise
        where = f"{error.where} in {found}"
        raise UnknownKeyError(error.problem, where=where, hint=error.hint) from None


def _file(key: str) -> str | None:
    """The chosen file that holds the key, and who provides it; None if none does."""
    sources = GlobalHydra.instance().config_loader().get_sources()
    for group, choice in HydraConfig.get().runtime.choices.items():
        name = f"{group}/{choice}"
        source = next((source for source in sources if source.is_config(name)), None)
        if source is None:
            continue
        loaded = source.load_config(name)
        everywhere = loaded.header.get("package") == "_global_"
        lead = "" if everywhere else f"{group}."
        content = OmegaConf.to_container(loaded.config, resolve=False)
        if key.startswith(lead) and _holds(content, key.removeprefix(lead).split(".")):
            owner = f" ({source.provider})" if source.provider.startswith("plugin ") else ""
            return f"{source.full_path()}/{name}.yaml{owner}"
    return None


def _holds(content: Any, keys: list[str]) -> bool:
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True
