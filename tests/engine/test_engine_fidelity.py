"""nnplug without options against nnU-Net's own commands: the same numbers, file by file."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

TASK = "Task901_Tiny"

# What both sides get: a small net, small patches, few batches, one worker, the same seeds.
# nnU-Net itself seeds neither its workers nor its weights, so the comparison has to.
PRELUDE = """
import os, random, sys
from pathlib import Path
import numpy as np
ROOT = Path(os.environ["ENGINE_ROOT"])

def equal_terms():
    import torch
    from batchgenerators.dataloading.multi_threaded_augmenter import MultiThreadedAugmenter
    from nnunet.training.network_training.nnUNetTrainer import nnUNetTrainer
    from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2
    torch.set_num_threads(1)
    start, read = MultiThreadedAugmenter.__init__, nnUNetTrainer.process_plans
    made = nnUNetTrainerV2.__init__

    def one_worker(self, loader, transform, count, cached=2, seeds=None, **more):
        start(self, loader, transform, 1, cached, seeds=[11], **more)

    def small(self, plans):
        read(self, plans)
        self.batch_size, self.patch_size = 2, np.array((16, 16, 16))
        self.base_num_features = 4

    def short(self, *args, **kwargs):
        made(self, *args, **kwargs)
        self.max_num_epochs, self.num_batches_per_epoch, self.num_val_batches_per_epoch = 1, 3, 2
        random.seed(7), np.random.seed(7), torch.manual_seed(7)

    MultiThreadedAugmenter.__init__ = one_worker
    nnUNetTrainer.process_plans = small
    nnUNetTrainerV2.__init__ = short
"""
STOCK = """
os.environ["nnUNet_raw_data_base"] = str(ROOT / "nnUNet_raw_data_base")
os.environ["nnUNet_preprocessed"] = str(ROOT / "nnUNet_preprocessed")
os.environ["RESULTS_FOLDER"] = str(ROOT / "nnUNet_trained_models")
os.environ["nnUNet_n_proc_DA"] = os.environ["nnUNet_def_n_proc"] = "1"
"""
PLAN = """
from nnunet.experiment_planning import nnUNet_plan_and_preprocess as command
sys.argv = ["nnUNet_plan_and_preprocess", "-t", "901", "-pl2d", "None", "-tl", "1", "-tf", "1"]
command.main()
"""
TRAIN = """
from nnunet.run import {module} as command
equal_terms()
sys.argv = ["{module}", "3d_fullres", "{trainer}", "901", "0"] + {more}
command.main()
"""
MINE = """
import nnplug
from nnplug.config.folders import Folders
from nnplug.engine import environment
environment.enter(Folders.below(ROOT), device="cpu", gpus=None, workers=1)
equal_terms()
nnplug.train([f"paths.root={{ROOT}}", "dataset.name=Tiny", "dataset.task_id=901", "workers=1",
              "dataset.channels={{0: CT, 1: MR}}",
              "dataset.labels={{background: 0, shell: 1, core: 2}}",
              "device=cpu", "trainer={name}"])
"""
MODES = {
    "single": ("v2", "nnUNetTrainerV2", "run_training", "[]"),
    "dp": ("v2_dp", "nnUNetTrainerV2_DP", "run_training_DP", "['-gpus', '1']"),
}


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory, run_python, raw_task) -> dict[str, Path]:
    """The same raw task, planned and trained by stock commands and by nnplug."""
    roots = {side: tmp_path_factory.mktemp(side) for side in ("stock", "mine")}
    raw = raw_task(roots["stock"] / "written")
    for root in roots.values():
        shutil.copytree(raw, root / "nnUNet_raw_data_base" / "nnUNet_raw_data" / TASK)
    run_python(PRELUDE + STOCK + PLAN, roots["stock"], strict=False)
    for name, trainer, module, more in MODES.values():
        stock = TRAIN.format(trainer=trainer, module=module, more=more)
        run_python(PRELUDE + STOCK + stock, roots["stock"], strict=False)
        run_python(PRELUDE + MINE.format(name=name), roots["mine"], strict=False)
    return roots


@pytest.mark.slow
def test_plans_arrays_and_splits(roots: dict[str, Path]) -> None:
    stock, mine = (root / "nnUNet_preprocessed" / TASK for root in roots.values())
    plans = "nnUNetPlansv2.1_plans_3D.pkl"
    assert same(unpickled(stock / plans), unpickled(mine / plans), roots)
    splits = "splits_final.pkl"
    assert same(unpickled(stock / splits), unpickled(mine / splits), roots)
    arrays = sorted(path.relative_to(stock) for path in stock.glob("*_stage*/*.npz"))
    assert len(arrays) == 6
    for name in arrays:
        with np.load(stock / name) as theirs, np.load(mine / name) as ours:
            assert np.array_equal(theirs["data"], ours["data"])
        assert same(
            unpickled((stock / name).with_suffix(".pkl")),
            unpickled((mine / name).with_suffix(".pkl")),
            roots,
        )


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_losses_weights_and_masks(roots: dict[str, Path], mode: str) -> None:
    import torch

    stock, mine = (fold(root, MODES[mode][1]) for root in roots.values())
    name = "model_final_checkpoint.model"
    theirs, ours = (torch.load(side / name, weights_only=False) for side in (stock, mine))
    train, validation = theirs["plot_stuff"][:2]
    assert len(train) == 1
    assert np.isfinite([*train, *validation]).all()
    assert same(theirs["plot_stuff"], ours["plot_stuff"], roots)
    assert theirs["state_dict"].keys() == ours["state_dict"].keys()
    weights = ours["state_dict"]
    assert all(torch.equal(value, weights[key]) for key, value in theirs["state_dict"].items())
    masks = sorted(path.relative_to(stock) for path in stock.rglob("validation_raw*/*.nii.gz"))
    assert len(masks) >= 2
    for mask in masks:
        images = [sitk.ReadImage(str(side / mask)) for side in (stock, mine)]
        assert images[0].GetDirection() == images[1].GetDirection()
        assert images[0].GetOrigin() == images[1].GetOrigin()
        assert np.array_equal(*map(sitk.GetArrayFromImage, images))


def fold(root: Path, trainer: str) -> Path:
    model = root / "nnUNet_trained_models" / "nnUNet" / "3d_fullres" / TASK
    return model / f"{trainer}__nnUNetPlansv2.1" / "fold_0"


def unpickled(path: Path) -> Any:
    with path.open("rb") as stream:
        return pickle.load(stream)


def same(theirs: Any, ours: Any, roots: dict[str, Path]) -> bool:
    """Equal, but for the folder that each side works in."""
    return list(_leaves(theirs, roots["stock"])) == list(_leaves(ours, roots["mine"]))


def _leaves(value: Any, root: Path) -> Iterator[Any]:
    if isinstance(value, dict):
        for key in value:
            yield key
            yield from _leaves(value[key], root)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item, root)
    elif isinstance(value, np.ndarray | np.generic):
        yield value.tolist() if value.dtype.kind != "f" else np.nan_to_num(value).tolist()
    elif isinstance(value, float):
        yield "nan" if np.isnan(value) else value
    else:
        yield str(value).replace(str(root), "")
