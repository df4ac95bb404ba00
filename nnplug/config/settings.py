"""The public keys, as dataclasses: what a stage may rely on once a config is checked."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Network = Literal["2d", "3d_lowres", "3d_fullres", "3d_cascade_fullres"]
Fold = Literal[0, 1, 2, 3, 4, "all"]

RESERVED_IDS = 100
LARGEST_ID = 999
LARGEST_LABEL = 255
KEEP = "keep"
SIDES = {"L": "x", "R": "x", "A": "y", "P": "y", "I": "z", "S": "z"}


@dataclass(frozen=True)
class Paths:
    """``paths``: the folder that holds nnU-Net's three folders."""

    root: Path = Path("nnplug_data")


@dataclass(frozen=True)
class Dataset:
    """``dataset``: what the source holds and which task it becomes.

    Attributes:
        name: the task's name, without id.
        task_id: its number, 100 to 999.
        force_task_id: allow a number below 100, which nnU-Net reserves.
        source: the folder of source images; not needed once the task folder is there.
        channels: channel number to name; ``CT`` makes nnU-Net use its CT normalisation.
        labels: label name to value, consecutive from 0 (background).
        unlabelled: convert images without labels; all go to imagesTs.
        test_fraction: which part of the subjects is held out, 0 to below 1.
        test: names (or patterns with ``*``) of cases that are held out.
        subject: who a case belongs to: a regular expression whose first group (or whole match)
            in the case's name is the subject, or a mapping from case to subject.
        pseudonym_key: a file of at least 16 secret bytes; with it a case's identifier is a
            pseudonym made from its name and the key instead of a number.
        images: patterns of the images, one a channel, with ``{case}``.
        label: the pattern of the label, with ``{case}``.
    """

    name: str
    task_id: int
    force_task_id: bool = False
    source: Path | None = None
    channels: dict[int, str] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    unlabelled: bool = False
    test_fraction: float = 0.0
    test: list[str] = field(default_factory=list)
    subject: str | dict[str, str] | None = None
    pseudonym_key: Path | None = None
    images: list[str] = field(default_factory=list)
    label: str | None = None
    description: str = ""
    reference: str = ""
    licence: str = ""
    release: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*(_[A-Za-z0-9-]+)*", self.name):
            raise ValueError(
                f"name {self.name!r} can't be part of a folder's name: "
                "use letters, digits, '-' and single '_'"
            )
        if not 1 <= self.task_id <= LARGEST_ID:
            raise ValueError(f"task_id {self.task_id} is not between 1 and {LARGEST_ID}")
        if self.task_id < RESERVED_IDS and not self.force_task_id:
            raise ValueError(
                f"task_id {self.task_id}: nnU-Net reserves the ids below {RESERVED_IDS} for the "
                f"Decathlon's tasks; choose {RESERVED_IDS} to {LARGEST_ID} or set "
                "dataset.force_task_id=true"
            )
        if sorted(self.channels) != list(range(len(self.channels))) or not self.channels:
            raise ValueError("channels must be numbered 0, 1, ...: channels={0: CT}")
        if not self.unlabelled:
            self._check_labels()
        if not 0 <= self.test_fraction < 1:
            raise ValueError(f"test_fraction {self.test_fraction} is not in [0, 1)")
        if isinstance(self.subject, str):
            try:
                re.compile(self.subject)
            except re.error as error:
                raise ValueError(f"subject is not a regular expression: {error}") from error

    def _check_labels(self) -> None:
        values = sorted(self.labels.values())
        if not values:
            raise ValueError("labels are missing: labels={background: 0, liver: 1}")
        if values != list(range(len(values))) or len(values) < 2:
            raise ValueError(
                f"labels must be numbered 0 (background), 1, 2, ... without gaps, not {values}; "
                "remap=table changes the values of the source"
            )
        if values[-1] > LARGEST_LABEL:
            raise ValueError(
                f"labels go up to {values[-1]}, but label images are written with 8 bits "
                f"(0 to {LARGEST_LABEL}); join some with remap=table"
            )

    @property
    def task(self) -> str:
        """nnU-Net's name of the task, e.g. ``Task128_LungLobe``."""
        return f"Task{self.task_id:03d}_{self.name}"


@dataclass(frozen=True)
class Choice:
    """Something chosen by name, with the options of whoever offers it."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Convert:
    """``convert``: how conversion goes about it.

    Attributes:
        on_error: ``stop`` at the first case that can't be converted, or ``skip`` it.
        reference: the channel (name or number) whose grid all channels of a case get; None
            refuses channels on different grids.
        interpolation: how the other channels are resampled onto it.
        outside: the value outside a channel's field of view; None takes that channel's minimum.
        orient: ``keep`` the axes as they are, or turn them to a code such as ``LPS`` by flips
            and permutations.
        resample_label: allow labels on other grids, resampled by nearest neighbour.
        qc: draw each case and tabulate its measures in ``qc/``.
    """

    on_error: Literal["stop", "skip"] = "stop"
    reference: int | str | None = None
    interpolation: Literal["linear", "nearest", "bspline"] = "linear"
    outside: float | None = None
    orient: str = "keep"
    resample_label: bool = False
    qc: bool = True

    def __post_init__(self) -> None:
        sides = sorted(SIDES.get(letter, letter) for letter in self.orient)
        if self.orient != KEEP and sides != sorted(set(SIDES.values())):
            raise ValueError(
                f"orient {self.orient!r} is neither {KEEP} nor three letters, one of L and R, one "
                "of A and P, one of I and S, e.g. LPS or RAS"
            )


@dataclass(frozen=True)
class Trainer:
    """``trainer``: which trainer, and what to change about it; None leaves nnU-Net's value.

    Attributes:
        name: a trainer of the catalog.
        epochs, batches_per_epoch, val_batches_per_epoch, initial_lr: attributes of the trainer.
        batch_size, patch_size, base_num_features: written into derived plans; the patch is in
            voxels, in the order of the plans' axes (arrays: z, y, x; 2d: y, x).
        schedule: of the learning rate.
        mirror_axes: ``z``, ``y``, ``x`` of the image, or nnU-Net's numbers of the preprocessed
            array's axes; empty for none. Shared by augmentation and prediction.
        augmentation: strength of rotation, scaling and elastic deformation, 0 (none) to 1.
        deep_supervision: False trains on the full resolution alone.
        loss_weights: of ``ce`` and ``dice`` in nnU-Net's compound loss.
        gpus: the devices to use, by number.
        processes: of a distributed trainer; None for one a GPU, or one.
        distribute_batch_size: share the plans' batch among the GPUs of a data-parallel or
            distributed trainer; else each GPU gets one.
        options: the trainer's own options.
    """

    name: str
    epochs: int | None = None
    batches_per_epoch: int | None = None
    val_batches_per_epoch: int | None = None
    initial_lr: float | None = None
    batch_size: int | None = None
    patch_size: list[int] | None = None
    base_num_features: int | None = None
    schedule: Literal["poly", "cosine", "constant"] | None = None
    mirror_axes: list[int | str] | None = None
    augmentation: float | None = None
    deep_supervision: bool | None = None
    loss_weights: dict[str, float] | None = None
    gpus: list[int] | None = None
    processes: int | None = None
    distribute_batch_size: bool | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (
            "epochs",
            "batches_per_epoch",
            "val_batches_per_epoch",
            "batch_size",
            "processes",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if self.base_num_features is not None and self.base_num_features < 1:
            raise ValueError(f"base_num_features must be at least 1, not {self.base_num_features}")
        if self.initial_lr is not None and not 0 < self.initial_lr < math.inf:
            raise ValueError(f"initial_lr must be above 0, not {self.initial_lr}")
        if self.patch_size is not None and any(edge < 1 for edge in self.patch_size):
            raise ValueError(f"patch_size must be positive, not {self.patch_size}")
        self._check_overrides()
        if self.gpus is not None and (
            not self.gpus or min(self.gpus) < 0 or len(set(self.gpus)) < len(self.gpus)
        ):
            raise ValueError(f"gpus must be different device numbers, not {self.gpus}")

    def _check_overrides(self) -> None:
        axes, weights = self.mirror_axes, self.loss_weights
        if axes is not None and (
            len(set(axes)) < len(axes) or not (set(axes) <= set("zyx") or set(axes) <= {0, 1, 2})
        ):
            raise ValueError(
                f"mirror_axes must be letters of z, y, x or numbers of 0, 1, 2, not {axes}"
            )
        if self.augmentation is not None and not 0 <= self.augmentation <= 1:
            raise ValueError(f"augmentation must be from 0 to 1, not {self.augmentation}")
        if weights is not None and (
            set(weights) != {"ce", "dice"}
            or not all(0 <= weight < math.inf for weight in weights.values())
            or not any(weights.values())
        ):
            raise ValueError(f"loss_weights must be like {{ce: 1, dice: 1}}, not {weights}")


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
class Check:
    """``check``: how ``nnplug check`` goes about it.

    Attributes:
        repair: ``header`` writes the image's header over those of labels and further channels
            that differ within the tolerances, but by more than nnU-Net allows.
        strict: warnings make the check fail too.
        phi: look for identifying values of the source in everything that was written.
        json: print the report as JSON to standard output.
    """

    repair: Literal["none", "header"] = "none"
    strict: bool = False
    phi: bool = False
    json: bool = False


@dataclass(frozen=True)
class DataSettings:
    """What ``convert``, ``check`` and every later verb know about the data.

    Attributes:
        remap: the steps that a label's values go through, in order; none leaves them.
        workers: processes.
        memory_bound: take fewer workers where the memory does not suffice for all.
    """

    dataset: Dataset
    paths: Paths
    converter: Choice
    remap: tuple[Choice, ...]
    convert: Convert
    workers: int
    memory_bound: bool = field(default=False, kw_only=True)
    check: Check = field(default=Check(), kw_only=True)

    def __post_init__(self) -> None:
        wanted = self.convert.reference
        if wanted is not None and self.reference is None:
            raise ValueError(
                f"convert.reference {wanted!r} is not (just) one of {self.dataset.channels}"
            )

    @property
    def reference(self) -> int | None:
        """The number of the channel that ``convert.reference`` means."""
        wanted = self.convert.reference
        found = [n for n, name in self.dataset.channels.items() if wanted in (n, name)]
        return found[0] if len(found) == 1 else None


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
        if len({tracker.name for tracker in self.tracking}) < len(self.tracking):
            raise ValueError("tracking names a tracker twice")


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
