"""Weights and records stay together, whenever the process that writes them is killed."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from nnplug.engine import checkpoints
from nnplug.errors import TrainingError


class Trainer:
    """Saves as nnU-Net does: the weights, then what describes them."""

    epoch = 0

    def save_checkpoint(self, fname: str) -> None:
        weights = {"a": torch.full((3,), float(self.epoch))}
        torch.save({"state_dict": weights, "epoch": self.epoch}, fname)
        Path(f"{fname}.pkl").write_bytes(pickle.dumps({"name": "Trainer", "plans": {}}))


def save(folder: Path, name: str, *epochs: int) -> None:
    trainer: Any = Trainer()
    checkpoints.guard(trainer, lambda: {"state": trainer.epoch}, lambda path: None)
    for trainer.epoch in epochs:
        trainer.save_checkpoint(str(folder / f"{name}.model"))


def killed_at(folder: Path, change: int, name: str, epoch: int) -> bool:
    """Save in a process that is killed before it renames, copies or removes once more."""
    child = os.fork()
    if not child:
        left = [change]

        def counted(method: Any) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)
                return method(*args, **kwargs)

            return call

        for method in ("replace", "unlink"):
            setattr(Path, method, counted(getattr(Path, method)))
        shutil.copy = counted(shutil.copy)  # type: ignore[assignment]
        save(folder, name, epoch)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("name", ["model_latest", "model_best", "model_final_checkpoint"])
def test_killed_between_any_two_changes_of_the_folder(tmp_path: Path, name: str) -> None:
    killed = 0
    for change in range(1, 20):
        folder = tmp_path / str(change)
        folder.mkdir()
        save(folder, name, 1, 2)
        if not killed_at(folder, change, name, 3):
            break
        killed += 1
        for _ in range(2):  # and a training that goes on from there, killed at the same place
            found = checkpoints.newest(folder)
            assert found is not None
            assert found.content["epoch"] in (2, 3)
            assert found.record["state"] == found.content["epoch"]
            assert found.notes == ()
            killed_at(folder, change, name, 3)
        save(folder, name, 3)
        found = checkpoints.newest(folder)
        assert found is not None
        assert (found.path.stem, found.record["state"]) == (name, 3)
    assert killed >= 3
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_record_of_other_weights_is_noticed(tmp_path: Path) -> None:
    save(tmp_path, "model_latest", 1, 2)
    latest, previous = (tmp_path / f"model_{name}.model" for name in ("latest", "previous"))
    shutil.copy(f"{previous}.pkl", f"{latest}.pkl")
    found = checkpoints.newest(tmp_path)
    assert found is not None
    assert (found.path, found.record["state"]) == (previous, 1)
    assert "model_latest.model.pkl is of other weights" in found.notes[0]
    assert "taking the one before" in found.notes[0]

    Path(f"{previous}.pkl").write_bytes(b"junk")
    Path(f"{latest}.pkl").write_bytes(b"junk")
    with pytest.raises(TrainingError, match=r"model_previous\.model\.pkl is damaged"):
        checkpoints.newest(tmp_path)
    # What stock nnU-Net writes instead has no record, and counts.
    Path(f"{latest}.pkl").write_bytes(pickle.dumps({"name": "Trainer", "plans": {}}))
    found = checkpoints.newest(tmp_path)
    assert found is not None
    assert (found.path, found.record) == (latest, {})
