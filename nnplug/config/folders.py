"""Where nnU-Net's three folders are, and the names it gives to what lies in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VARIABLES = ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER")


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
        """The folders below ``root``; an nnU-Net variable that is set wins over its part."""
        defaults = ("nnUNet_raw_data_base", "nnUNet_preprocessed", "nnUNet_trained_models")
        chosen = (
            Path(environ.get(variable) or root / default).expanduser().resolve()
            for variable, default in zip(VARIABLES, defaults, strict=True)
        )
        return cls(*chosen)

    def environment(self) -> dict[str, str]:
        """The variables that ``nnunet.paths`` reads when it is imported."""
        paths = (self.raw_base, self.preprocessed, self.results)
        return dict(zip(VARIABLES, map(str, paths), strict=True))

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

    def model(self, network: str, task: str, trainer: str, plans: str) -> Path:
        """The folder of a model, as nnU-Net names it."""
        return self.models / network / task / f"{trainer}__{plans}"
