"""best and predict model=best of a 2d network and a cascade, with stock's commands as oracle."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

TASK = "Task901_Tiny"
PLANS = "nnUNetPlans_tiny"
NETWORKS = {"2d": "nnUNetTrainerV2", "3d_cascade_fullres": "nnUNetTrainerV2CascadeFullRes"}

TWO_STAGES = """
import copy, pickle
import numpy as np
from pathlib import Path
from engine_job import *
from nnplug.engine import planning, plans, safe, training
from nnplug.engine.planning import PlanOverrides
f, device = enter()
planning.prepare(f, TASK, "2d", 1, log=f.raw_base / "plan.log")
planning.derive(f, TASK, "2d", PLANS, PlanOverrides(2, (16, 16), 4))
planning.stamp(f, TASK, "2d", "hash")
output = f.preprocessed / TASK
file = output / "nnUNetPlansv2.1_plans_3D.pkl"
content = plans.read(file)
fine = content["plans_per_stage"][0]
coarse = copy.deepcopy(fine)
coarse["current_spacing"] = np.array(fine["current_spacing"]) * 1.6
content["plans_per_stage"] = {0: coarse, 1: fine}
content["num_stages"] = 2
file.write_bytes(pickle.dumps(content))
from nnunet.preprocessing.preprocessing import GenericPreprocessor
preprocessor = GenericPreprocessor(
    content["normalization_schemes"], content["use_mask_for_norm"],
    content["transpose_forward"], content["dataset_properties"]["intensityproperties"])
preprocessor.run([coarse["current_spacing"], fine["current_spacing"]], str(f.cropped / TASK),
                 str(output), content["data_identifier"], 1)
for network in ("3d_lowres", "3d_cascade_fullres"):
    planning.derive(f, TASK, network, PLANS, PlanOverrides(2, (16, 16, 16), 4))
# Both stages are in one file, so the second call has only changed the second stage.
derived = output / f"{PLANS}_plans_3D.pkl"
content = plans.read(derived)
for stage in content["plans_per_stage"].values():
    stage["patch_size"], stage["batch_size"] = np.array([16, 16, 16]), 2
derived.write_bytes(pickle.dumps(content))
planning.stamp(f, TASK, "3d_fullres", "hash")

def train(network, trainer, lr):
    wanted = job(network=network, trainer=trainer, epochs=3, batches=12, lr=lr, seed=1)
    done = training.run(f, device, wanted, on_epoch=lambda _: None, log=f.results / "log")
    return done.model_folder

two = train("2d", "nnUNetTrainerV2", 0.05)
lowres = train("3d_lowres", "nnUNetTrainerV2", 0.05)
before = lowres / "pred_next_stage"
before.mkdir(exist_ok=True)
for case in (output / "nnUNetData_plans_v2.1_stage1").glob("*.npz"):
    values = np.load(case)["data"][-1]
    np.savez_compressed(before / f"{case.stem}_segFromPrevStage.npz",
                        data=np.clip(values, 0, None).astype(np.uint8))
cascade = train("3d_cascade_fullres", "nnUNetTrainerV2CascadeFullRes", 0.05)
"""

STOCK = """
import sys
from pathlib import Path
from engine_job import *
f, device = enter()
import torch
from nnplug.engine import safe
from nnunet.inference import ensemble_predictions, predict_simple
inputs, out = f.results / "in", f.results / "stock"
common = ["-i", str(inputs), "-t", TASK, "-p", PLANS, "-f", "0", "--save_npz",
          "--disable_mixed_precision", "--num_threads_preprocessing", "1",
          "--num_threads_nifti_save", "1"]
with torch.serialization.safe_globals(safe._numpy_globals()):
    for network in ("2d", "3d_cascade_fullres"):
        sys.argv = ["predict", *common, "-o", str(out / network), "-m", network]
        predict_simple.main()
best = f.models / "ensembles" / TASK
sys.argv = ["ensemble", "-f", str(out / "2d"), str(out / "3d_cascade_fullres"), "-o",
            str(out / "both"), "-pp", str(best / "postprocessing.json"), "-t", "1", "--npz"]
ensemble_predictions.main()
"""


@pytest.fixture(scope="module")
def trained(planned, tmp_path_factory, run_python) -> Path:
    """A root with a 2d network and a cascade, both of fold 0, and a best.json of the two."""
    root = tmp_path_factory.mktemp("best")
    for name in ("raw", "preprocessed"):
        shutil.copytree(planned / name, root / name)
    run_python(TWO_STAGES, root, strict=False)
    models = [
        root / "results" / "nnUNet" / network / TASK / f"{trainer}__{PLANS}"
        for network, trainer in NETWORKS.items()
    ]
    words = ("dataset.name=Tiny", "dataset.task_id=901", "folds=[0]")
    done = nnplug(root, "best", *words, f"models=[{','.join(map(str, models))}]")
    assert done.returncode == 0, done.stderr
    assert "validating with probabilities: 2" in done.stderr
    folder = root / "results" / "nnUNet" / "ensembles" / TASK
    assert len(json.loads((folder / "best.json").read_text())["scores"]) == 3
    # Whichever was best: both together are the harder case.
    rules = {"for_which_classes": [[1, 2], 1, 2]}
    (folder / "postprocessing.json").write_text(json.dumps(rules))
    members = [{"model": os.path.relpath(model, folder), "folds": [0]} for model in models]
    content = {"members": members, "postprocessing": "postprocessing.json"}
    (folder / "best.json").write_text(json.dumps(content))
    inputs = root / "results" / "in"
    inputs.mkdir()
    for case in ("c1", "c3"):
        for channel in range(2):
            name = f"{case}_{channel:04}.nii.gz"
            image = sitk.ReadImage(root / "raw" / "nnUNet_raw_data" / TASK / "imagesTr" / name)
            if case == "c1":  # a spot for the post-processing to drop
                image[1:7, 1:7, 1:6] = 400 + 40 * channel
            sitk.WriteImage(image, inputs / name)
    return root


def variables(root: Path) -> dict[str, str]:
    return {
        "nnUNet_raw_data_base": str(root / "raw"),
        "nnUNet_preprocessed": str(root / "preprocessed"),
        "RESULTS_FOLDER": str(root / "results"),
        "OMP_NUM_THREADS": "1",
    }


def nnplug(root: Path, verb: str, *overrides: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "nnplug", verb, f"paths.root={root}", "device=cpu"),
            *("workers=1", *overrides),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **variables(root)},
    )


def voxels(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


@pytest.mark.slow
def test_an_ensemble_with_a_cascade_is_stocks(trained, tmp_path, run_python):
    run_python(STOCK, trained, strict=False)
    stock = trained / "results" / "stock"
    inputs, task = trained / "results" / "in", ("dataset.name=Tiny", "dataset.task_id=901")
    out = tmp_path / "out"
    words = (f"input={inputs}", "model=best", *task)
    done = nnplug(trained, "predict", *words, f"output={out}", "softmax=true", "uncertainty=true")
    assert done.returncode == 0, done.stderr
    for case in ("c1", "c3"):
        mine, theirs = voxels(out / f"{case}.nii.gz"), voxels(stock / "both" / f"{case}.nii.gz")
        np.testing.assert_array_equal(mine, theirs)
        raw = np.load(out / f"{case}.npz")["softmax"]
        wanted = np.load(stock / "both" / "not_postprocessed" / f"{case}.npz")["softmax"]
        assert raw.dtype == wanted.dtype == np.float16
        np.testing.assert_array_equal(raw, wanted)
        entropy = voxels(out / f"{case}_entropy.nii.gz")
        assert 0.1 < entropy.max() <= 1
    assert 1 in theirs
    unpruned = voxels(stock / "both" / "not_postprocessed" / "c1.nii.gz")
    assert (unpruned != voxels(stock / "both" / "c1.nii.gz")).any()
    again = nnplug(trained, "predict", *words, f"output={out}", "softmax=true", "uncertainty=true")
    assert again.returncode == 0, again.stderr
    assert "2 of 2 cases are there already" in again.stderr
    file = trained / "results" / "nnUNet" / "ensembles" / TASK / "best.json"
    for wanted in ("best", file):
        named = nnplug(
            trained,
            "predict",
            f"input={inputs}",
            f"model={wanted}",
            f"output={tmp_path / 'b'}",
            "format=mha",
        )
        assert named.returncode == 0, named.stderr
    mask = voxels(tmp_path / "b" / "c3.mha")
    np.testing.assert_array_equal(mask, voxels(out / "c3.nii.gz"))
    wrong = nnplug(trained, "predict", *words, f"output={tmp_path / 'c'}", "folds=[0]")
    assert wrong.returncode == 2
    assert "those that were compared" in wrong.stderr


@pytest.mark.slow
def test_a_cascade_alone_is_stocks_and_the_best_stays_loaded(trained, tmp_path, run_python):
    if not (trained / "results" / "stock").is_dir():
        run_python(STOCK, trained, strict=False)
    folder = trained / "results" / "nnUNet" / "3d_cascade_fullres" / TASK
    (model,) = folder.iterdir()
    stock, inputs = trained / "results" / "stock", trained / "results" / "in"
    done = nnplug(trained, "predict", f"input={inputs}", f"model={model}", f"output={tmp_path}")
    assert done.returncode == 0, done.stderr
    for case in ("c1", "c3"):
        theirs = voxels(stock / "3d_cascade_fullres" / f"{case}.nii.gz")
        np.testing.assert_array_equal(voxels(tmp_path / f"{case}.nii.gz"), theirs)
    code = f"""
        import nnplug
        import SimpleITK as sitk
        from pathlib import Path
        inputs, out = Path({str(inputs)!r}), Path({str(tmp_path)!r})
        with nnplug.Predictor("best", device="cpu", root={str(trained)!r}) as predictor:
            for case in ("c1", "c3"):
                images = [sitk.ReadImage(inputs / f"{{case}}_{{n:04}}.nii.gz") for n in (0, 1)]
                sitk.WriteImage(predictor.predict(images).mask, out / f"{{case}}.mha")
            print(len(predictor.folders), predictor.channels)
        """
    assert run_python(code, trained, **variables(trained)).split() == ["2", "2"]
    for case in ("c1", "c3"):
        theirs = voxels(stock / "both" / f"{case}.nii.gz")
        np.testing.assert_array_equal(voxels(tmp_path / f"{case}.mha"), theirs)
