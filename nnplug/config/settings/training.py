"""What planning and training need."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nnplug.config.settings.data import Choice, DataSettings
from nnplug.config.settings.trainer import Trainer

Network = Literal["2d", "3d_lowres", "3d_fullres", "3d_cascade_fullres"]
Fold = Literal[0, 1, 2, 3, 4, "all"]


@dataclass(frozen=True)
class Planner:
    """``planner``: who plans the network.

    Attributes:
        name: a planner of the catalog, or the name of one of nnU-Net's own classes.
        preprocessor: the same of a preprocessor; None leaves the planner's own.
    """

    name: str = "v21"
    preprocessor: str | None = None


@dataclass(frozen=True)
class Resume:
    """``resume``: how to go on with an earlier training.

    Attributes:
        newest: go on from the newest checkpoint.
        extend: go on, and train so many epochs beyond those planned, with a schedule of their own.
    """

    newest: bool = False
    extend: int | None = None

    def __post_init__(self) -> None:
        if self.extend is not None and self.extend < 1:
            raise ValueError(f"extend is a number of epochs from 1, not {self.extend}")


@dataclass(frozen=True)
class Pretrained:
    """``pretrained``: the model whose weights a training starts from.

    Attributes:
        model: its folder or name (``Folders.find_model``), or a ``.model`` file.
        fold: of that model; None if it has one only, or ``all``.
        checkpoint: the file name without ``.model``.
    """

    model: Path
    fold: Fold | None = None
    checkpoint: str = "model_final_checkpoint"


@dataclass(frozen=True)
class Split:
    """``split``: which cases validate which fold; without any key, drawn over subjects.

    Attributes:
        file: a split: ``splits_final.pkl``, or JSON as nnU-Net v2's ``splits_final.json``.
        stratify: a column whose values every fold has in the same proportion.
        table: the CSV file with that column; None takes the task's ``case_map.csv``.
        shared_subjects: allow a file to have a subject on both sides of a fold.
    """

    file: Path | None = None
    stratify: str | None = None
    table: Path | None = None
    shared_subjects: bool = False

    def __post_init__(self) -> None:
        if self.file is not None and self.stratify is not None:
            raise ValueError("a split is either given by file or stratified")
        if self.table is not None and self.stratify is None:
            raise ValueError("table is where the column stratify is read from: give that too")
        if self.shared_subjects and self.file is None:
            raise ValueError("shared_subjects goes with file; a drawn split never shares them")


@dataclass(frozen=True)
class ModelSettings(DataSettings):
    """The same plus what ``plan`` and ``train`` need.

    Attributes:
        resume: go on from the newest checkpoint.
        extend: epochs to train beyond those planned.
        pretrained: what to start from; None starts anew.
        tracking: where the run is shown besides its own folder.
        objective: what a sweep is told of this training; see :mod:`nnplug.config.sweeping`.
        overlays: draw the network's output on one validation patch every so many epochs.
        precision: of training; ``auto`` is what stock nnU-Net does on that device.
        threads: with which torch computes on a CPU; None is torch's own number, one a core.
        checkpoint_minutes: save at the end of an epoch when the last checkpoint is older.
        stall_minutes: give up when worker processes do nothing for so long; None never.
        split: which cases validate which fold.
        lowres: the trainer of the cascade's first stage; None takes ``trainer`` for both.
        dry_run: show the steps and do none.
    """

    trainer: Trainer
    network: Network
    fold: Fold
    device: Literal["auto", "cpu", "cuda", "mps"]
    resume: bool
    seed: int | None
    extend: int | None = field(default=None, kw_only=True)
    pretrained: Pretrained | None = field(default=None, kw_only=True)
    planner: Planner = field(default=Planner(), kw_only=True)
    tracking: tuple[Choice, ...] = field(default=(), kw_only=True)
    overlays: int | None = field(default=None, kw_only=True)
    precision: Literal["auto", "full", "mixed"] = field(default="auto", kw_only=True)
    threads: int | None = field(default=None, kw_only=True)
    checkpoint_minutes: float = field(default=15, kw_only=True)
    stall_minutes: float | None = field(default=30, kw_only=True)
    objective: str | list[str] = field(default="val_dice", kw_only=True)
    split: Split = field(default=Split(), kw_only=True)
    lowres: Trainer | None = field(default=None, kw_only=True)
    dry_run: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("checkpoint_minutes", "stall_minutes"):
            if not (getattr(self, name) is None or 0 <= getattr(self, name) < math.inf):
                raise ValueError(f"{name} is a number of minutes, not {getattr(self, name)}")
        if self.overlays is not None and self.overlays < 1:
            raise ValueError(f"overlays is a number of epochs from 1, not {self.overlays}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is a number from 1, not {self.threads}")
        if len({tracker.name for tracker in self.tracking}) < len(self.tracking):
            raise ValueError("tracking names a tracker twice")
