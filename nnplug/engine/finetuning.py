"""Start a training from another model's weights, as far as they fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnplug.engine.hashing import sha256
from nnplug.engine.safe import load_checkpoint
from nnplug.errors import DataError

_SHOWN = 8


@dataclass(frozen=True)
class Taken:
    """What became of the network's weights.

    Attributes:
        checkpoint: the end of its path: the model's folder, the fold and the file.
        sha256: of that file.
        taken: the tensors that were taken over.
        anew: the others, and why they start anew.
        unused: tensors of the checkpoint that the network doesn't have.
    """

    checkpoint: str
    sha256: str
    taken: tuple[str, ...]
    anew: dict[str, str]
    unused: tuple[str, ...]

    def summary(self) -> str:
        """In one line: how many were taken, and which start anew."""
        total = len(self.taken) + len(self.anew)
        listed = [f"{name} ({why})" for name, why in list(self.anew.items())[:_SHOWN]]
        if len(self.anew) > _SHOWN:
            listed.append(f"and {len(self.anew) - _SHOWN} more")
        rest = f"; anew: {', '.join(listed)}" if listed else ""
        return f"{len(self.taken)} of {total} tensors taken from {self.checkpoint}{rest}"


def take(trainer: Any, path: Path) -> Taken:
    """Give an initialised trainer's network the checkpoint's weights that fit by name and shape.

    With another number of classes the segmentation heads start anew, with another number of
    channels the first convolution. Optimizer and history are not taken. As nnU-Net's
    ``load_pretrained_weights``, but heads and convolutions that don't fit are listed.

    Raises:
        TrainingError: no checkpoint, or a damaged one.
        DataError: nothing fits.
    """
    there = {_bare(name): value for name, value in load_checkpoint(path)["state_dict"].items()}
    own = trainer.network.state_dict()
    anew = {}
    for name, value in own.items():
        found = there.pop(_bare(name), None)
        if found is None:
            anew[_bare(name)] = "not in it"
        elif found.shape != value.shape:
            anew[_bare(name)] = f"{_shape(found)} in it, {_shape(value)} here"
        else:
            own[name] = found
    taken = tuple(_bare(name) for name in own if _bare(name) not in anew)
    if not taken:
        raise DataError(
            "none of these weights fits the network",
            where=str(path),
            hint="plans with the same patch, features and pooling are needed",
        )
    trainer.network.load_state_dict(own)
    return Taken("/".join(path.parts[-3:]), sha256(path), taken, anew, tuple(there))


def _bare(name: str) -> str:
    """Without what DataParallel puts before it."""
    return name.removeprefix("module.")


def _shape(tensor: Any) -> str:
    return "x".join(map(str, tensor.shape)) or "1"
