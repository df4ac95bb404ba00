"""A training's checkpoints: written whole, marked with their origin, chosen for resuming."""

from __future__ import annotations

import dataclasses
import enum
import logging
import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnplug.engine.hashing import sha256
from nnplug.engine.safe import load_checkpoint, read_pickle
from nnplug.errors import DataError, TrainingError

FINAL, LATEST, BEST = "model_final_checkpoint", "model_latest", "model_best"
PREVIOUS = "model_previous"
WEIGHTS = "weights"  # the key of a record for the SHA-256 of the .model file it belongs to

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Found:
    """A checkpoint to go on from.

    Attributes:
        path: the ``.model`` file.
        content: what is in it.
        record: nnplug's own record of these weights; empty for a checkpoint of stock nnU-Net.
        notes: what has to be said, e.g. which newer checkpoint was damaged.
    """

    path: Path
    content: dict[str, Any]
    record: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def final(self) -> bool:
        return self.path.stem == FINAL


def existing(folder: Path) -> list[Path]:
    """The ``.model`` files in a fold's folder, newest first."""
    paths = [folder / f"{name}.model" for name in (FINAL, LATEST, PREVIOUS, BEST)]
    there = [path for path in paths if path.is_file()]
    return sorted(there, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def newest(folder: Path) -> Found | None:
    """The newest checkpoint that can be read; None if there is none at all.

    Raises:
        TrainingError: there are checkpoints, but all are damaged.
    """
    problems: list[str] = []
    notes: list[str] = []
    paths = existing(folder)
    for path in paths:
        try:
            content = load_checkpoint(path)
            return Found(path, content, _own_record(path), tuple(notes))
        except TrainingError as error:
            problems.append(f"{path.name} can't be used ({error.problem})")
            notes.append(f"{problems[-1]}, taking the one before")
            _LOG.warning("%s: %s", path, notes[-1])
    if paths:
        raise TrainingError(
            f"all checkpoints are damaged: {'; '.join(problems)}",
            where=str(folder),
            hint="remove them, or train again with overwrite",
        )
    return None


def read_record(path: Path) -> dict[str, Any]:
    """nnplug's record in the ``.model.pkl`` beside a ``.model`` file; empty if it has none."""
    return _record_in(Path(f"{path}.pkl")) or {}


def _own_record(path: Path) -> dict[str, Any]:
    """The record of these very weights; empty if stock nnU-Net wrote them.

    Where a process was killed between two renames it lies elsewhere in the folder.

    Raises:
        TrainingError: the record is damaged, or of other weights.
    """
    beside = Path(f"{path}.pkl")
    first = _record_in(beside)
    if first is not None and WEIGHTS not in first:
        return first
    digest = sha256(path)
    for record in (first, *map(_record_in, sorted(path.parent.glob("*.pkl")))):
        if record and record.get(WEIGHTS) == digest:
            return record
    if not beside.is_file():
        return {}
    what = "damaged" if first is None else "of other weights"
    raise TrainingError(f"{beside.name} is {what}", where=str(path))


def _record_in(path: Path) -> dict[str, Any] | None:
    """What nnplug noted in a ``.model.pkl``, empty if nothing; None if that can't be read."""
    try:
        content = read_pickle(path)
    except DataError:
        return None
    record = content.get("nnplug") if isinstance(content, dict) else None
    return record if isinstance(record, dict) else {}


def remove(folder: Path) -> None:
    """Remove the checkpoints and the validation of an earlier training in this folder."""
    for path in existing(folder):
        _remove(path)
    (folder / "validation_raw" / "summary.json").unlink(missing_ok=True)


def guard(
    trainer: Any, record: Callable[[], Mapping[str, Any]], saved: Callable[[Path], None]
) -> None:
    """Make ``trainer.save_checkpoint`` write beside and rename, and add ``record()``.

    Works for any subclass: every file that its method writes under the given name is renamed.
    ``model_latest`` becomes ``model_previous`` until the next one or the end. nnU-Net ignores
    the additional key ``nnplug`` of ``.model.pkl``, which also says to which weights it belongs:
    whenever the process is killed, each ``.model`` has its record somewhere in the folder.

    Args:
        trainer: the instance; its class is left alone.
        record: gives plain data (see :func:`plain`) and arrays.
        saved: called with the path of each checkpoint once it is in place.
    """
    original = trainer.save_checkpoint

    def save_checkpoint(fname: str, *args: Any, **kwargs: Any) -> None:
        path = Path(fname)
        beside = path.with_name(f".part.{path.name}")
        try:
            original(str(beside), *args, **kwargs)
            _add_record(Path(f"{beside}.pkl"), {**record(), WEIGHTS: sha256(beside)})
            if path.stem == LATEST:
                _keep_previous(path)
            else:
                _keep_record(path)
            # The weights last: a checkpoint counts as there when its .model is.
            for part in sorted(beside.parent.glob(f"{beside.name}*"), reverse=True):
                part.replace(part.with_name(part.name.removeprefix(".part.")))
            _aside(path).unlink(missing_ok=True)
        finally:
            for part in beside.parent.glob(f"{beside.name}*"):
                part.unlink()
        if path.stem == FINAL:
            _remove(path.with_name(f"{PREVIOUS}.model"))
        saved(path)

    trainer.save_checkpoint = save_checkpoint


def _keep_previous(path: Path) -> None:
    """Without weights a record is what a killed process left."""
    previous = path.with_name(f"{PREVIOUS}.model")
    for suffix in (".pkl", "") if path.is_file() else ():
        if Path(f"{path}{suffix}").is_file():
            Path(f"{path}{suffix}").replace(f"{previous}{suffix}")


def _keep_record(path: Path) -> None:
    """For the moment in which the new record is there and the old weights still are.

    A process that was killed in such a moment left the right one.
    """
    if not path.is_file():
        return
    left = _record_in(_aside(path))
    if left and left.get(WEIGHTS) == sha256(path):
        return
    if Path(f"{path}.pkl").is_file():
        shutil.copy(f"{path}.pkl", _aside(path))


def _aside(path: Path) -> Path:
    return path.with_name(f".before.{path.name}.pkl")


def _remove(path: Path) -> None:
    for part in (path, Path(f"{path}.pkl"), _aside(path)):
        part.unlink(missing_ok=True)


def _add_record(path: Path, record: Mapping[str, Any]) -> None:
    if path.is_file():
        content = read_pickle(path)
        content["nnplug"] = dict(record)
        path.write_bytes(pickle.dumps(content))


def save_interrupted(trainer: Any) -> Path:
    """Write ``model_latest`` as of the last finished epoch; the interrupted one is repeated.

    The trainer must be as it was at the end of that epoch (``states.Snapshot``).
    """
    done = int(trainer.epoch)
    for name in ("all_tr_losses", "all_val_losses", "all_val_losses_tr_mode"):
        setattr(trainer, name, getattr(trainer, name)[:done])
    trainer.all_val_eval_metrics = trainer.all_val_eval_metrics[:done]
    trainer.epoch = done - 1  # nnU-Net stores epoch + 1
    path = Path(trainer.output_folder, f"{LATEST}.model")
    trainer.save_checkpoint(str(path))
    return path


def plain(value: Any) -> Any:
    """``value`` as dicts, lists, strings and numbers, so that any reader can unpickle it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value)
