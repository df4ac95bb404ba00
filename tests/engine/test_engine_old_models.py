"""Models that nnunet 1.7.0 made (torch 1.12, numpy 1.23): predicted with, and gone on with."""

from __future__ import annotations

import json
import shutil
import textwrap
import zipfile
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"
HIPPOCAMPUS = "Task504_Hippocampus"

HEAD = """
from pathlib import Path
import numpy as np
import SimpleITK as sitk
from engine_job import *
f, device = enter()
"""


@pytest.fixture
def old(tmp_path):
    """Unpacks an old model below the results; returns its data."""

    def unpack(name: str) -> Path:
        data = DATA / "models_v1" / name
        if not data.is_dir():
            pytest.skip(f"{data} is absent")
        with zipfile.ZipFile(f"{data}.zip") as archive:
            archive.extractall(tmp_path / "results" / "nnUNet")
        return data

    return unpack


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hippocampus", "sarcoma_pet"])
def test_masks_and_softmax_are_those_of_then(tmp_path, run_python, old, name):
    """All 16 masks, and the softmax that was kept of three cases each."""
    code = HEAD + textwrap.dedent(
        f"""
        from nnplug.engine import prediction
        data = Path({str(old(name))!r})
        folder = next(f.models.glob("3d_fullres/*/*"))
        before = sorted(folder.rglob("*"))
        model = prediction.load_model(folder, None, device=device)
        cases = [prediction.PredictCase(path.name[:-12], (path,))
                 for path in sorted((data / "images").glob("*.nii.gz"))]
        out = f.results / "out"
        results = prediction.predict(model, cases, out, workers=2, softmax=True)
        def voxels(path):
            return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        for result in results:
            mine, theirs = voxels(result.mask), voxels(data / "predicted" / result.mask.name)
            print("MASK", result.error, (mine != theirs).sum(), mine.any())
        for path in sorted((data / "softmax").glob("*.npz")):
            mine, theirs = (np.load(each)["softmax"].astype(float) for each in
                            (out / path.name, path))
            print("SOFTMAX", np.abs(mine - theirs).max() <= 5e-4)
        print("UNTOUCHED", sorted(folder.rglob("*")) == before)
        """
    )
    lines = run_python(code, tmp_path).splitlines()
    assert lines == ["MASK None 0 True"] * 8 + ["SOFTMAX True"] * 3 + ["UNTOUCHED True"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hippocampus", "sarcoma_pet"])
def test_masks_in_mixed_precision_are_nearly_those_of_then(tmp_path, run_python, old, name):
    """At most 1 voxel in 10,000 is another, in none of the cases."""
    code = HEAD + textwrap.dedent(
        f"""
        from nnplug.engine import prediction
        data = Path({str(old(name))!r})
        from nnplug.errors import ConfigError
        device = environment.enter(f, device="cpu", gpus=None, workers=1, precision="mixed")
        folder = next(f.models.glob("3d_fullres/*/*"))
        try:
            model = prediction.load_model(folder, None, device=device)
        except ConfigError as error:
            print(error.problem)
            raise SystemExit
        types = set()
        convolution = model.trainer.network.seg_outputs[-1]
        convolution.register_forward_hook(lambda *args: types.add(args[-1].dtype))
        cases = [prediction.PredictCase(path.name[:-12], (path,))
                 for path in sorted((data / "images").glob("*.nii.gz"))]
        results = prediction.predict(model, cases, f.results / "out")
        def voxels(path):
            return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        for result in results:
            mine, theirs = voxels(result.mask), voxels(data / "predicted" / result.mask.name)
            print((mine != theirs).mean() <= 1e-4, mine.any())
        print(types)
        """
    )
    lines = run_python(code, tmp_path).splitlines()
    if lines[0].startswith("this CPU can't"):
        pytest.skip(lines[0])
    assert lines == ["True True"] * 8 + ["{torch.float16}"]


@pytest.mark.slow
def test_training_goes_on_from_an_old_model(tmp_path, run_python, old):
    """Two more epochs with the old plans, and another; with plans of another network a refusal."""
    old("hippocampus")
    source = DATA / "hippocampus"
    task = tmp_path / "raw" / "nnUNet_raw_data" / HIPPOCAMPUS
    names = [path.name for path in sorted((source / "images").glob("*.nii.gz"))[:7]]
    for kind, target in (("images", "imagesTr"), ("labels", "labelsTr")):
        (task / target).mkdir(parents=True)
        for name in names:
            end = "_0000.nii.gz" if kind == "images" else ".nii.gz"
            shutil.copy(source / kind / name, task / target / name.replace(".nii.gz", end))
    listed = [{"image": f"./imagesTr/{n}", "label": f"./labelsTr/{n}"} for n in names]
    content = {
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "anterior", "2": "posterior"},
        "numTraining": len(names),
        "numTest": 0,
        "training": listed,
        "test": [],
    }
    (task / "dataset.json").write_text(json.dumps(content))
    code = HEAD + textwrap.dedent(
        f"""
        import shutil
        from nnplug.engine import checkpoints, planning, training
        from nnplug.errors import DataError
        task = {HIPPOCAMPUS!r}
        planning.prepare(f, task, "3d_fullres", 1, log=f.raw_base / "plan.log")
        planning.stamp(f, task, "3d_fullres", "hash")
        def go(extend=2):
            wanted = job(task=task, plans_identifier="nnUNetPlansv2.1", resume=True,
                         extend=extend, epochs=None, lr=0.001)
            return training.run(f, device, wanted, on_epoch=lambda one: print("EPOCH", one.epoch,
                                one.epochs, one.train_loss < -0.1), log=f.raw_base / "log")
        try:
            go()
        except DataError as error:
            print("REFUSED", "base_num_features 8, now 32" in str(error), "copy plans.pkl" in
                  str(error))
        model = f.model("3d_fullres", task, "nnUNetTrainerV2", "nnUNetPlansv2.1")
        shutil.copy(model / "plans.pkl", f.preprocessed / task / "nnUNetPlansv2.1_plans_3D.pkl")
        done = go()
        print("DONE", done.epochs_done, done.mean_dice > 0.5)
        print("DONE", go(3).epochs_done)
        content = checkpoints.newest(done.fold_folder).content
        print("HISTORY", content["epoch"], len(content["plot_stuff"][0]))
        """
    )
    lines = run_python(code, tmp_path, strict=False).splitlines()
    said = [line for line in lines if line.startswith(("EPOCH", "REFUSED", "DONE", "HISTORY"))]
    assert said == [
        "REFUSED True True",
        "EPOCH 7 8 True",
        "EPOCH 8 8 True",
        "DONE 8 True",
        "EPOCH 9 9 True",
        "DONE 9",
        "HISTORY 9 9",
    ]
