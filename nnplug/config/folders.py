"""Where nnU-Net's three folders are, and the names it gives to what lies in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nnplug.errors import ConfigError

VARIABLES = ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER")
_announced: dict[str, str] = {}


@dataclass(frozen=True)
class Folders:
    """nnU-Net's three folders, absolute.

    Attributes:
        raw_base: ``nnUNet_raw_data_base``.
        preprocessed: ``nnUNet_preprocessed``.
        results: ``RESULTS_FOLDER``.
    """

    raw_base: Path
    preprocessed: Path
    results: Path

    @classmethod
    def below(cls, root: Path, environ: Mapping[str, str] = os.environ) -> Folders:
        """The folders below ``root``; an nnU-Net variable that the user set wins over its part."""
        given = {name: value for name, value in environ.items() if value != _announced.get(name)}
        defaults = ("nnUNet_raw_data_base", "nnUNet_preprocessed", "nnUNet_trained_models")
        chosen = (
            Path(given.get(variable) or root / default).expanduser().resolve()
            for variable, default in zip(VARIABLES, defaults, strict=True)
        )
        return cls(*chosen)

    def environment(self) -> dict[str, str]:
        """The variables that ``nnunet.paths`` reads when it is imported."""
        paths = (self.raw_base, self.preprocessed, self.results)
        return dict(zip(VARIABLES, map(str, paths), strict=True))

    def announce(self) -> None:
        """Set nnU-Net's variables; :meth:`below` can still tell them from the user's."""
        changed = {n: v for n, v in self.environment().items() if os.environ.get(n) != v}
        os.environ.update(changed)
        _announced.update(changed)

    @property
    def raw_data(self) -> Path:
        """Holds one ``TaskXXX_Name`` folder a task."""
        return self.raw_base / "nnUNet_raw_data"

    @property
    def cropped(self) -> Path:
        """Holds the cropped cases, one folder a task."""
        return self.raw_base / "nnUNet_cropped_data"

    @property
    def models(self) -> Path:
        """Holds ``NETWORK/TASK/TRAINER__PLANS/fold_N``."""
        return self.results / "nnUNet"

    def task(self, task: str) -> Path:
        """The raw task folder, e.g. ``.../nnUNet_raw_data/Task128_LungLobe``."""
        return self.raw_data / task

    def model_names(self) -> list[str]:
        """``NETWORK/TASK/TRAINER__PLANS`` of every model that is there, sorted."""
        return sorted(
            path.relative_to(self.models).as_posix()
            for path in self.models.glob("*/Task*/*__*")
            if path.is_dir() and path.parts[-3] != "ensembles"
        )

    def find_model(self, wanted: Path | str, network: str = "", trainer: str = "") -> Path:
        """The folder of a model that is already there.

        Args:
            wanted: a folder, a name ``NETWORK/TASK/TRAINER__PLANS``, or a task: its folder's
                name, its number or the name after that.
            network: chooses among the models of a task.
            trainer: the class; chooses among them too.

        Raises:
            ConfigError: none fits, or several do.
        """
        text, names = str(wanted), self.model_names()
        found = [
            name
            for name in names
            if _is_task(name.split("/")[1], text)
            and network in ("", name.split("/")[0])
            and trainer in ("", name.split("/")[2].partition("__")[0])
        ]
        if text in names or len(found) == 1:
            return self.models / (text if text in names else found[0])
        if not found and Path(wanted).is_dir():
            return Path(wanted).resolve()
        problem = "several models fit" if found else "there is no such folder, and no model"
        listed = "".join(f"\n     model={name}" for name in found or names)
        hint = f"choose one:{listed}" if listed else "train one, or nnplug bundle import FILE.zip"
        raise ConfigError(f"{problem} {text!r}", where=str(self.models), hint=hint)

    def model(self, network: str, task: str, trainer: str, plans: str) -> Path:
        """The folder of a model, as nnU-Net names it."""
        return self.models / network / task / f"{trainer}__{plans}"


def _is_task(task: str, text: str) -> bool:
    number, _, name = task.removeprefix("Task").partition("_")
    return text.casefold() in (task.casefold(), name.casefold(), number)
