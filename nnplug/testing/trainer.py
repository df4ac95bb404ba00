"""What every trainer has to keep: nnU-Net finds it, replays it, resumes it and predicts with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from nnplug.testing import task
from nnplug.testing._steps import Steps, told


class TrainerContract:
    """Inherit and name the trainer; its package has to be installed.

    One process trains it for three epochs of two batches on a CPU; the tests look at how each
    step went.

    Attributes:
        trainer: the name in its spec.
        options: further overrides, e.g. ``("trainer.options.momentum=0.9",)``.
        stock_reads: whether ``nnUNetTrainerV2`` can load the weights.
    """

    trainer: str
    options: Sequence[str] = ()
    stock_reads = True

    @pytest.fixture(scope="class")
    @classmethod
    def steps(cls, tmp_path_factory: pytest.TempPathFactory) -> Steps:
        """What went wrong at each step of the trainer's life; None if nothing did."""
        return live(cls.trainer, tmp_path_factory.mktemp("trainer"), cls.options)

    def test_nnunet_finds_it(self, steps: Steps) -> None:
        """A subclass of nnUNetTrainerV2 with a name of its own and nnU-Net's arguments."""
        assert steps["mount"] is None, steps["mount"]

    def test_init_args_replay_it(self, steps: Steps) -> None:
        """nnU-Net restores a model with ``Class(*init_args)``."""
        assert steps["replay"] is None, steps["replay"]

    def test_it_trains(self, steps: Steps) -> None:
        """Two epochs with finite losses, and the validation."""
        assert steps["train"] is None, steps["train"]

    def test_it_resumes(self, steps: Steps) -> None:
        """From its checkpoint; for one more epoch, if it has nnU-Net's schedule."""
        assert steps["resume"] is None, steps["resume"]

    def test_it_predicts(self, steps: Steps) -> None:
        """From its model folder."""
        assert steps["predict"] is None, steps["predict"]

    def test_stock_nnunet_reads_its_weights(self, steps: Steps) -> None:
        """Where the suite says so."""
        if self.stock_reads:
            assert steps["stock"] is None, steps["stock"]


def live(trainer: str, folder: Path, options: Sequence[str] = ()) -> Steps:
    """Take a trainer through its life in a new process."""
    task.copy_task(folder)
    steps: Steps = told("_trainer_steps", trainer, str(folder), *options, folder=folder)
    return steps
