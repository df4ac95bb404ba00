"""Which file of a config group a wrong key comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hydra.conf import HydraConf
from hydra.core.global_hydra import GlobalHydra
from hydra.plugins.config_source import ConfigSource
from omegaconf import OmegaConf

from nnplug.config.build import UnknownKeyError


@dataclass(frozen=True)
class Files:
    """The files that a configuration was composed of.

    Attributes:
        sources: where Hydra looks for them, in order.
        choices: the name that was chosen in each group.
    """

    sources: Sequence[ConfigSource]
    choices: Mapping[str, Any]

    @classmethod
    def of(cls, hydra: HydraConf) -> Files:
        """Those of the configuration with this part of Hydra's own; while Hydra is at work."""
        loader = GlobalHydra.instance().config_loader()
        return cls(loader.get_sources(), dict(hydra.runtime.choices))

    @contextmanager
    def named(self) -> Iterator[None]:
        """Unknown keys are told with their file and its plugin.

        Raises:
            UnknownKeyError: as raised inside.
        """
        try:
            yield
        except UnknownKeyError as error:
            found = self._with(error.where or "")
            if found is None:
                raise
            where = f"{error.where} in {found}"
            raise UnknownKeyError(error.problem, where=where, hint=error.hint) from None

    def _with(self, key: str) -> str | None:
        """The chosen file that holds the key, and who provides it; None if none does."""
        for group, choice in self.choices.items():
            name = f"{group}/{choice}"
            source = next((source for source in self.sources if source.is_config(name)), None)
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
