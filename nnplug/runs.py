"""A run, as the life-cycle hooks and the trackers of plugins see it.

Importing this module loads nothing heavy. Axis order: arrays are z, y, x. Lengths are in mm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class RunInfo:
    """What is run.

    Attributes:
        id: tells this run from all others; the same after a resume.
        verb: ``"train"``.
        name: the folder's name below nnU-Net's models, e.g.
            ``3d_fullres/Task104_Hippocampus/nnUNetTrainerV2__nnUNetPlansv2.1/fold_0``.
        folder: holds the run's records and results.
        config: the resolved configuration as plain data, without names of cases and subjects.
            Trackers, which may send it elsewhere, get it without paths too.
        labels: names of the foreground labels, in the order of their values.
        resumed: the run goes on with an earlier one.
    """

    id: str
    verb: str
    name: str
    folder: Path
    config: Mapping[str, Any]
    labels: tuple[str, ...]
    resumed: bool

    @property
    def parameters(self) -> dict[str, Any]:
        """The configuration as one level: ``{"trainer.epochs": 40, ...}``."""
        return flat(self.config)


@dataclass(frozen=True)
class Patch:
    """A patch of a validation case, and what the network makes of it.

    Attributes:
        image: the first channel as preprocessed, z, y, x; one slice for 2d.
        reference: its label.
        prediction: the network's.
        spacing: mm along z, y, x.
    """

    image: NDArray[np.floating[Any]]
    reference: NDArray[np.integer[Any]]
    prediction: NDArray[np.integer[Any]]
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch.

    Attributes:
        epoch: how many are finished, from 1.
        epochs: how many there will be.
        train_loss: mean over the training batches.
        val_loss: mean over the validation batches.
        dice: nnU-Net's estimate per foreground label, in order; NaN where the batches had
            none of a label. One number (the mean) from trainers that keep no counts.
        lr: the learning rate of this epoch.
        seconds: how long it took, saving checkpoints included.
        steps: batches, those for validation included.
        seconds_loading: what the batches were waited for, of these seconds.
        seconds_computing: the rest of the time in the steps.
        memory: the most main memory that this process has had, in MiB, workers not counted.
        gpu_memory: the most memory of tensors on all GPUs, in MiB; None without a GPU.
        patch: in the epochs for which pictures are wanted.
    """

    epoch: int
    epochs: int
    train_loss: float
    val_loss: float
    dice: list[float]
    lr: float
    seconds: float
    steps: int = 0
    seconds_loading: float = 0.0
    seconds_computing: float = 0.0
    memory: float = 0.0
    gpu_memory: float | None = None
    patch: Patch | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class RunResult:
    """What a finished training reached.

    Attributes:
        epochs: how many were trained.
        dice: of the validation, by name of the foreground label; NaN where no case has it.
        mean_dice: their mean; None if no label occurs.
    """

    epochs: int
    dice: Mapping[str, float]
    mean_dice: float | None


class Tracker(Protocol):
    """Shows runs somewhere else. Constructed as ``Target(options)``.

    It works in a process of its own, beside the training. Any method may raise or take long:
    the training neither notices nor waits, and what wasn't taken is offered again later, also
    by another process. What can't be delivered has to raise; the same may be offered twice.
    """

    def open(self, run: RunInfo) -> None:
        """Get ready for this run, which may have been opened before; by another process too."""
        ...

    def log(
        self, epoch: int, time: float, values: Mapping[str, float], pictures: Mapping[str, Path]
    ) -> None:
        """Take one epoch.

        Args:
            epoch: from 1. After a resume an epoch can come again, with other values.
            time: when it ended, in seconds since 1970.
            values: figures by name, e.g. ``train_loss``, ``dice.core``; all finite.
            pictures: PNG files by name, mostly none.
        """
        ...

    def close(self, status: str, values: Mapping[str, float]) -> None:
        """Take the end: ``finished``, ``failed``, ``interrupted`` or ``pruned``; ``values``
        are the validation's figures by name. After a resume there is another end.
        """
        ...


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level, names joined by dots; an empty one is left out."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{prefix}{name}"
        found |= flat(value, f"{key}.") if isinstance(value, Mapping) else {key: value}
    return found
