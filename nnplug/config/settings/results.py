"""What predicting, scoring and choosing models need."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nnplug.config.settings.data import Choice, DataSettings, Paths
from nnplug.config.settings.trainer import Trainer
from nnplug.config.settings.training import Fold, Network, Planner


@dataclass(frozen=True)
class Predict:
    """What ``predict`` needs.

    Attributes:
        input: a folder of images named as nnU-Net does (``NAME.nii.gz``, ``NAME_0000.nii.gz``),
            such a file or a list of them (or a ``.txt`` file of paths), or a source that ``data``
            tells how to read.
        output: the folder for the masks.
        model: a model's folder or name (``Folders.find_model``); None looks for it by dataset,
            network and trainer.
        folds: whose weights are averaged; None takes all that are there.
        checkpoint: the file name without ``.model``.
        mirroring: test-time mirroring; None does what training did.
        step_size: of the sliding window, as a fraction of the patch.
        softmax: write the class probabilities too (``NAME.npz``).
        uncertainty: write how undecided the model is too (``NAME_entropy.nii.gz``).
        postprocess: voxel remappers that the masks go through, in order.
        format: of the masks.
        overwrite: predict cases again that have an output.
        label_values: write the values of the source's labels, where conversion changed them
            and they can be restored, or those of the dataset.
        task: nnU-Net's name of the task that the model was trained on.
        data: how the dataset's sources are read, where that is known.
        precision: ``auto`` is what stock nnU-Net does on that device.
    """

    input: Path | list[Path]
    output: Path
    model: Path | None = None
    folds: list[Fold] | None = None
    checkpoint: str = "model_final_checkpoint"
    mirroring: bool | None = None
    step_size: float = 0.5
    softmax: bool = False
    uncertainty: bool = False
    postprocess: tuple[Choice, ...] = ()
    format: Choice = Choice("nii.gz")
    overwrite: bool = False
    label_values: Literal["source", "dataset"] = "source"
    paths: Paths = Paths()
    task: str | None = None
    data: DataSettings | None = None
    trainer: Trainer | None = None
    planner: Planner = Planner()
    network: Network = "3d_fullres"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "full", "mixed"] = "auto"
    workers: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.step_size <= 1:
            raise ValueError(f"step_size must be in (0, 1], not {self.step_size}")
        if self.folds is not None and not self.folds:
            raise ValueError("folds is an empty list")
        if self.input == []:
            raise ValueError("input is an empty list")


@dataclass(frozen=True)
class Evaluate:
    """What ``evaluate`` needs: folders of equally named label images, and a file.

    Attributes:
        reference, prediction: the folders.
        output: the JSON file; tables are written beside it.
        labels: label name to value; empty takes every value that occurs.
        workers: processes.
        compare: predictions of another model for the same cases.
        subjects: a CSV file with the columns ``case`` and ``subject``; None takes the task
            folder's records where the reference is in one, else each case is a subject.
        tolerance_mm: of the surface Dice; one for all labels, or one a label.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """

    reference: Path
    prediction: Path
    output: Path
    labels: dict[str, int] = field(default_factory=dict)
    workers: int = 1
    compare: Path | None = None
    subjects: Path | None = None
    tolerance_mm: float | dict[str, float] = 2.0
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        tolerances = [self.tolerance_mm]
        if isinstance(self.tolerance_mm, dict):
            tolerances = list(self.tolerance_mm.values())
            if set(self.tolerance_mm) != set(self.foreground):
                raise ValueError(
                    f"tolerance_mm is for {', '.join(self.tolerance_mm) or 'no label'}, "
                    f"labels are {', '.join(self.foreground) or 'not named'}: name all of them "
                    "in both, or give one tolerance as a number"
                )
        if not all(isinstance(mm, float) and 0 <= mm < math.inf for mm in tolerances):
            raise ValueError(f"tolerance_mm must be at least 0, not {self.tolerance_mm}")
        if self.output.suffix == ".csv":
            raise ValueError(f"output is a JSON file, not {self.output}; tables go beside it")
        if self.resamples < 1:
            raise ValueError(f"resamples must be at least 1, not {self.resamples}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, not {self.seed}")

    @property
    def foreground(self) -> dict[str, int]:
        """The labels without background."""
        return {name: value for name, value in self.labels.items() if value != 0}

    def tolerance(self, value: int) -> float:
        """The tolerance in mm for a label's value."""
        if isinstance(self.tolerance_mm, dict):
            return next(self.tolerance_mm[n] for n, v in self.foreground.items() if v == value)
        return self.tolerance_mm


@dataclass(frozen=True)
class Best:
    """What ``best`` needs.

    Attributes:
        task: nnU-Net's name of the task.
        trainer: of all models.
        networks: to compare; None takes all that were trained.
        models: folders of models instead, whatever their trainers.
        folds: of the cross-validation.
        ensembles: try the mean of each two models too.
        workers: processes.
    """

    task: str
    trainer: Trainer
    networks: list[Network] | None = None
    models: list[Path] = field(default_factory=list)
    folds: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4])
    ensembles: bool = True
    planner: Planner = Planner()
    paths: Paths = Paths()
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    workers: int = 1

    def __post_init__(self) -> None:
        if not self.folds or min(self.folds) < 0 or len(set(self.folds)) < len(self.folds):
            raise ValueError(f"folds must be different numbers, not {self.folds}")
        if len(set(self.models)) < len(self.models):
            raise ValueError("models names a folder twice")
        if self.networks is not None and (self.models or not self.networks):
            raise ValueError("networks is empty, or given beside models")
