"""What an epoch's report says, a picture of a patch that changes nothing, and pruning."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

from nnplug.engine import patches

pytestmark = pytest.mark.slow

START = """
import time
import numpy as np
from engine_job import *
from nnplug.engine import patches, safe, training
from nnplug.errors import Pruned
f, device = enter()
seen, notes, started = [], [], []
def train(on_epoch=seen.append, **changes):
    return training.run(f, device, job(**changes), on_epoch=on_epoch, on_note=notes.append,
                        on_start=started.append, log=f.results / "train.log")
"""


def test_time_memory_and_a_fixed_patch(planned, tmp_path, run_python):
    code = START + textwrap.dedent(
        """
        import torch
        from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2
        def final(result):
            return safe.load_checkpoint(result.fold_folder / "model_final_checkpoint.model")
        plain = final(train(seed=3))
        seen.clear()
        stock = nnUNetTrainerV2.run_iteration
        def slow(self, *args, **kwargs):
            time.sleep(0.25)
            return stock(self, *args, **kwargs)
        nnUNetTrainerV2.run_iteration = slow
        drawn = final(train(seed=3, overwrite=True, patch_every=2))
        print(all(torch.equal(plain["state_dict"][k], v) for k, v in drawn["state_dict"].items()))
        for report in seen:
            parts = report.seconds_loading + report.seconds_computing
            print(report.steps, report.seconds_computing > 3 * 0.25, parts < report.seconds,
                  50 < report.memory < 1e5, report.gpu_memory, report.patch is not None)
        patch = seen[1].patch
        print(patch.image.shape, patch.reference.shape, patch.prediction.shape,
                  [round(edge, 4) for edge in patch.spacing])
        print(patch.image.dtype, set(np.unique(patch.reference)), patch.prediction.max() <= 2)
        print(sorted(started[0]), started[0] == started[1])
        """
    )
    lines = run_python(code, planned, results=tmp_path).splitlines()
    assert lines == [
        "True",
        "3 True True True None False",
        "3 True True True None True",
        "(16, 16, 16) (16, 16, 16) (16, 16, 16) [1.2, 1.0, 1.0]",
        "float32 {np.uint8(0), np.uint8(1), np.uint8(2)} True",
        "['plans', 'split'] True",
    ]


def test_waiting_for_batches_is_loading(planned, tmp_path, run_python):
    code = START + textwrap.dedent(
        """
        from nnplug.engine import construction
        stock = construction.build
        class Slow:
            def __init__(self, batches): self.batches = batches
            def __next__(self):
                time.sleep(0.25)
                return next(self.batches)
            next = __next__
            def __getattr__(self, name): return getattr(self.batches, name)
        def build(*args, **kwargs):
            trainer = stock(*args, **kwargs)
            trainer.tr_gen = Slow(trainer.tr_gen)
            return trainer
        training.build = build
        train(epochs=1)
        print(0.5 <= seen[0].seconds_loading < seen[0].seconds)
        """
    )
    assert run_python(code, planned, results=tmp_path) == "True\n"


@pytest.mark.parametrize(
    ("size", "inside"), [((4, 6, 6), 27), ((16, 6, 20), 27), ((6, 6), 9), ((2, 12, 14), 18)]
)
def test_a_patch_holds_the_foreground_padded_or_cut(size: tuple[int, ...], inside: int) -> None:
    values = np.zeros((3, 10, 12, 14), np.float32)
    values[-1, 7:, 9:, 1:4] = 1
    cut = patches._cut(values, size)
    assert cut.shape == (3, *size)
    assert cut[-1].sum() == inside


def test_a_picture_that_can_not_be_made_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert patches.FixedPatch(2).now(1, object()) is None
    assert not caplog.messages
    assert patches.FixedPatch(2).now(2, object()) is None
    assert "dataset_val" in caplog.text


def test_pruned_keeps_the_weights_and_resume_goes_on(planned, tmp_path, run_python):
    code = START + textwrap.dedent(
        """
        def prune(report):
            seen.append(report)
            if report.epoch == 2:
                raise Pruned("no better than others")
        try:
            train(prune, epochs=3, seed=1)
        except Pruned as error:
            print(error.problem, [report.epoch for report in seen])
        result = train(epochs=3, seed=1, resume=True)
        print(notes, [report.epoch for report in seen], result.epochs_done)
        pruned = safe.load_checkpoint(result.fold_folder / "model_final_checkpoint.model")
        whole = safe.load_checkpoint(train(epochs=3, seed=1, overwrite=True).fold_folder
                                     / "model_final_checkpoint.model")
        print(pruned["plot_stuff"] == whole["plot_stuff"])
        """
    )
    assert run_python(code, planned, results=tmp_path).splitlines() == [
        "no better than others [1, 2]",
        "['resuming from model_latest.model after 2 epochs'] [1, 2, 3] 3",
        "True",
    ]
