"""The suite for trainers catches what it is meant to catch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nnplug.testing._steps import Steps
from nnplug.testing.trainer import live

pytestmark = pytest.mark.slow

PLUGIN = """
from nnplug.hookspecs import hookimpl
from nnplug.types import TrainerSpec

@hookimpl
def nnplug_trainers():
    return [TrainerSpec("mine", "trainer_code:{name}", data_parallel={parallel})]
"""
CODE = """
import torch
from nnunet.training.network_training.nnUNetTrainer import nnUNetTrainer
from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2
from nnunet.training.network_training.nnUNetTrainerV2_DP import nnUNetTrainerV2_DP

class SoundDP(nnUNetTrainerV2_DP):
    pass

class NotV2(nnUNetTrainer):
    pass

class WrongInitArgs(nnUNetTrainerV2):
    def __init__(self, plans_file, fold, output_folder=None, dataset_directory=None,
                 batch_dice=True, stage=None, unpack_data=True, deterministic=True, fp16=False):
        super().__init__(plans_file, fold, output_folder, dataset_directory, batch_dice, stage,
                         unpack_data, deterministic, fp16)
        self.init_args = (plans_file, 0, output_folder, dataset_directory, not batch_dice, stage,
                          unpack_data, deterministic, fp16)

class LosesItself(nnUNetTrainerV2):
    def run_iteration(self, data_generator, do_backprop=True, run_online_evaluation=False):
        return float("nan")

class ForgetsItsEpochs(nnUNetTrainerV2):
    def load_checkpoint_ram(self, checkpoint, train=True):
        super().load_checkpoint_ram(checkpoint, train)
        raise RuntimeError("can't go on")

class OtherNetwork(nnUNetTrainerV2):
    def initialize_network(self):
        super().initialize_network()
        self.network.register_parameter("extra", torch.nn.Parameter(torch.zeros(1)))
        if torch.cuda.is_available():
            self.network.cuda()
"""


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Steps]:
    """``life("Sound")``: how each step went for that class."""

    def take(name: str, *, parallel: bool = False) -> Steps:
        record = tmp_path / "site" / "trainer_plugin-1.0.dist-info"
        record.mkdir(parents=True)
        (record / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: trainer-plugin\nVersion: 1\n"
        )
        (record / "entry_points.txt").write_text("[nnplug]\nmine = trainer_plugin\n")
        plugin = PLUGIN.format(name=name, parallel=parallel)
        (tmp_path / "site" / "trainer_plugin.py").write_text(plugin)
        (tmp_path / "site" / "trainer_code.py").write_text(CODE)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
        return live("mine", tmp_path / "life")

    return take


def test_a_sound_trainer_passes(life: Callable[..., Steps]) -> None:
    steps = life("SoundDP", parallel=True)
    assert {*steps.values()} == {None}, steps


@pytest.mark.parametrize(
    ("name", "parallel", "step", "said"),
    [
        ("NotV2", False, "mount", "no subclass of nnUNetTrainerV2"),
        ("SoundDP", False, "mount", "data_parallel says otherwise"),
        ("WrongInitArgs", False, "replay", "batch_dice"),
        ("LosesItself", False, "train", "lower the learning rate"),
        ("ForgetsItsEpochs", False, "resume", "can't go on"),
        ("OtherNetwork", False, "stock", "extra"),
    ],
)
def test_a_fault_is_caught_at_its_step(
    life: Callable[..., Steps], name: str, parallel: bool, step: str, said: str
) -> None:
    steps = life(name, parallel=parallel)
    assert said in str(steps[step]), steps[step]
    before = list(steps.values())[: list(steps).index(step)]
    assert set(before) <= {None}
