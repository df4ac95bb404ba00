"""best: nnU-Net's own selection on the same folders as the oracle."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.engine import ensembling
from nnplug.errors import DataError

pytestmark = pytest.mark.slow

TASK = "Task901_Tiny"
MODEL = "nnUNetTrainerV2__nnUNetPlansv2.1"
SHAPE = (10, 14, 12)
BOX = [[1, 10], [0, 14], [2, 11]]
STEM = "nnUNet_trained_models/nnUNet"


def write(values: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(values.astype(np.uint8))
    image.SetSpacing((1.0, 1.0, 1.5))
    sitk.WriteImage(image, str(path))


def voxels(path: Path) -> Any:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def cohort(root: Path, networks: dict[str, float], folds: int = 5, cases: int = 2) -> Path:
    """Validated models (network to the noise of its probabilities) of two labels.

    Every case has a spot far from the organ, that only the largest component gets rid of.
    """
    rng = np.random.default_rng(4)
    inside = tuple(slice(*side) for side in BOX)
    for number in range(folds * cases):
        truth = np.zeros(SHAPE, int)
        low = rng.integers(1, 4, 3)
        truth[low[0] : low[0] + 6, low[1] : low[1] + 7, low[2] : low[2] + 5] = 1
        truth[low[0] + 1 : low[0] + 4, low[1] + 2 : low[1] + 5, low[2] + 1 : low[2] + 4] = 2
        name = f"c{number:02d}"
        for network, noise in networks.items():
            model = root / STEM / network / TASK / MODEL
            raw = model / f"fold_{number // cases}" / "validation_raw"
            seen = truth.copy()
            seen[9, 13, 10] = 1
            softmax = np.eye(3)[seen].transpose(3, 0, 1, 2) + rng.normal(0, noise, (3, *SHAPE))
            softmax = np.clip(softmax, 0.01, None)[(slice(None), *inside)]
            softmax /= softmax.sum(0)
            mask = np.zeros(SHAPE)
            mask[inside] = softmax.argmax(0)
            write(mask, raw / f"{name}.nii.gz")
            write(truth, model / "gt_niftis" / f"{name}.nii.gz")
            np.savez_compressed(raw / f"{name}.npz", softmax=softmax.astype(np.float16))
            properties = {
                "size_after_cropping": softmax.shape[1:],
                "original_size_of_raw_data": np.array(SHAPE),
                "crop_bbox": [list(side) for side in BOX],
                "itk_spacing": (1.0, 1.0, 1.5),
                "itk_origin": (0.0, 0.0, 0.0),
                "itk_direction": (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0),
            }
            (raw / f"{name}.pkl").write_bytes(pickle.dumps(properties))
            means = {str(label): {"Dice": 0.5} for label in range(3)}
            (raw / "summary.json").write_text(json.dumps({"results": {"mean": means}}))
            checkpoint = raw.parent / "model_final_checkpoint.model"
            checkpoint.write_bytes(b"")
            (model / "plans.pkl").write_bytes(pickle.dumps({"all_classes": [1, 2]}))
            os.utime(checkpoint, (0, 0))
        write(truth, root / "nnUNet_preprocessed" / TASK / "gt_segmentations" / f"{name}.nii.gz")
    return root


def best(root: Path, *overrides: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "nnplug", "best", f"paths.root={root}", "device=cpu"),
            *("dataset.name=Tiny", "dataset.task_id=901", "workers=1", *overrides),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **variables},
    )


STOCK = """
import os, sys
from pathlib import Path
root = Path(os.environ["ENGINE_ROOT"])
os.environ["nnUNet_raw_data_base"] = str(root / "raw")
os.environ["nnUNet_preprocessed"] = str(root / "nnUNet_preprocessed")
os.environ["RESULTS_FOLDER"] = str(root / "nnUNet_trained_models")
os.environ["nnUNet_def_n_proc"] = "1"
from nnunet.evaluation.model_selection import figure_out_what_to_submit as stock
sys.argv = ["find", "-m", *NETWORKS, "-t", "901"]
stock.main()
"""


@pytest.mark.parametrize(
    ("noise", "winner"),
    [
        ({"2d": 0.5, "3d_fullres": 0.5}, f"ensemble_2d__{MODEL}--3d_fullres__{MODEL}"),
        ({"2d": 0.9, "3d_fullres": 0.05}, "3d_fullres"),
    ],
)
def test_scores_masks_and_choice_are_stocks(tmp_path, run_python, noise, winner):
    ours = cohort(tmp_path / "ours", noise)
    theirs = Path(shutil.copytree(ours, tmp_path / "theirs"))
    told = run_python(f"NETWORKS = {list(noise)}\n{STOCK}", theirs, strict=False)
    done = best(ours)
    assert done.returncode == 0, done.stderr
    assert f"submit model {winner} " in told
    content = json.loads((ours / STEM / "ensembles" / TASK / "best.json").read_text())
    assert content["best"] == winner
    for line in told.splitlines():
        name, _, score = line.partition(" ")
        if name in content["scores"]:
            assert content["scores"][name]["mean_dice"] == pytest.approx(float(score), abs=1e-12)
    compared = 0
    for path in theirs.rglob("*.nii.gz"):
        mine = ours / path.relative_to(theirs)
        np.testing.assert_array_equal(voxels(mine), voxels(path))
        compared += path.parent.name in ("ensembled_raw", "cv_niftis_postprocessed")
    assert compared == 30
    for path in theirs.rglob("postprocessing.json"):
        mine = json.loads((ours / path.relative_to(theirs)).read_text())
        assert mine == json.loads(path.read_text())
        assert mine["for_which_classes"]


def test_an_ensemble_of_new_cases_is_stocks(tmp_path, run_python):
    root = cohort(tmp_path, {"2d": 0.6, "3d_fullres": 0.6}, folds=2)
    assert best(root, "folds=[0,1]").returncode == 0
    found = root / STEM / "ensembles" / TASK / "best.json"
    code = f"""
        from pathlib import Path
        from engine_job import *
        enter()
        from nnplug.engine import ensembling
        from nnunet.inference.ensemble_predictions import merge
        best = ensembling.read_best(Path({str(found)!r}))
        folders = [one.folder / "fold_1" / "validation_raw" for one in best.members]
        stock, mine = Path({str(tmp_path / "stock")!r}), Path({str(tmp_path / "mine")!r})
        mine.mkdir()
        merge([*map(str, folders)], str(stock), 1, postprocessing_file=str(best.postprocessing))
        for path in sorted(stock.glob("*.nii.gz")):
            stems = [each / path.name[:-7] for each in folders]
            ensembling.ensemble(stems, mine / path.name, best.postprocessing)
            print(path.name)
        """
    names = run_python(code, tmp_path, strict=False).split()
    masks = [name for name in names if name.endswith(".nii.gz")]
    assert masks == ["c02.nii.gz", "c03.nii.gz"]
    for name in masks:
        np.testing.assert_array_equal(
            voxels(tmp_path / "mine" / name), voxels(tmp_path / "stock" / name)
        )


def test_what_is_done_is_kept_and_what_is_stale_is_done_again(tmp_path):
    root = cohort(tmp_path, {"2d": 0.4, "3d_fullres": 0.4}, folds=2)
    first = best(root, "folds=[0,1]")
    assert first.returncode == 0, first.stderr
    model = root / STEM / "2d" / TASK / MODEL
    result = model / "postprocessing.json"
    before = result.stat().st_mtime_ns
    assert best(root, "folds=[0,1]").returncode == 0
    assert result.stat().st_mtime_ns == before
    (model / "fold_0" / "validation_raw" / "c00.nii.gz").touch()
    assert best(root, "folds=[0,1]").returncode == 0
    assert result.stat().st_mtime_ns > before


def test_folds_that_all_lack_are_left_out_and_named(tmp_path):
    root = cohort(tmp_path, {"2d": 0.4, "3d_fullres": 0.4}, folds=3, cases=1)
    done = best(root, "ensembles=false")
    assert done.returncode == 0, done.stderr
    assert "of folds [0, 1, 2, 3, 4] only [0, 1, 2] are there" in done.stderr
    content = json.loads((root / STEM / "ensembles" / TASK / "best.json").read_text())
    assert [member["folds"] for member in content["members"]] == [[0, 1, 2]]
    assert set(content["scores"]) == {"2d", "3d_fullres"}


def test_models_that_can_not_be_compared_are_refused(tmp_path):
    root = cohort(tmp_path, {"2d": 0.4, "3d_fullres": 0.4}, folds=2, cases=1)
    model = root / STEM / "2d" / TASK / MODEL
    (model / "fold_1" / "validation_raw" / "c01.nii.gz").rename(
        model / "fold_1" / "validation_raw" / "c09.nii.gz"
    )
    other = best(root, "folds=[0,1]", "ensembles=false")
    assert other.returncode == 5
    assert "validated on other cases" in other.stderr
    shutil.rmtree(model / "fold_1")
    fewer = best(root)
    assert fewer.returncode == 5
    assert "the same trained and validated folds" in fewer.stderr
    absent = best(root, "networks=[3d_lowres]")
    assert absent.returncode == 2
    assert "no model of nnUNetTrainerV2 for 3d_lowres" in absent.stderr
    single = best(root, "network=2d")
    assert single.returncode == 2
    assert "networks=[2d, ...]" in single.stderr


def test_a_case_without_reference_and_a_damaged_summary_are_named(tmp_path):
    root = cohort(tmp_path, {"2d": 0.4}, folds=2, cases=1)
    model = root / STEM / "2d" / TASK / MODEL
    (model / "gt_niftis" / "c01.nii.gz").rename(tmp_path / "away.nii.gz")
    lost = best(root, "folds=[0,1]")
    assert lost.returncode == 5
    assert "no reference for c01" in lost.stderr
    (model / "fold_0" / "validation_raw" / "summary.json").write_text("{")
    damaged = best(root, "folds=[0,1]")
    assert damaged.returncode == 5
    assert "summary.json" in damaged.stderr


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "there is no such file"),
        ("[]", "can't be used"),
        ('{"members": [{"model": "gone", "folds": [0]}], "postprocessing": "p.json"}', "is gone"),
    ],
)
def test_a_best_json_that_can_not_be_used_is_refused(tmp_path, content, problem):
    path = tmp_path / "best.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=problem):
        ensembling.read_best(path)


def test_models_of_different_grids_are_not_averaged(tmp_path):
    for name, size in (("a", 3), ("b", 4)):
        np.savez_compressed(tmp_path / f"{name}.npz", softmax=np.zeros((2, 3, 3, size)))
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps({}))
    with pytest.raises(DataError, match="differ in grid or classes"):
        ensembling.average([tmp_path / "a", tmp_path / "b"])
    (tmp_path / "b.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="can't be read"):
        ensembling.average([tmp_path / "a", tmp_path / "b"])


def test_a_fold_gets_the_probabilities_of_its_masks(planned, tmp_path, run_python):
    code = """
        from engine_job import *
        from nnplug.engine import training
        from nnplug.engine.overrides import Overrides
        f, device = enter()
        unmirrored = job(overrides=Overrides(mirror_axes=()))
        training.run(f, device, unmirrored, on_epoch=lambda _: None, log=f.results / "log")
        """
    run_python(code, planned, results=tmp_path)
    (fold,) = tmp_path.glob("nnUNet/3d_fullres/*/*/fold_0")
    raw = fold / "validation_raw"
    before = {path.name: voxels(path) for path in raw.glob("*.nii.gz")}
    (raw / "old.npz").write_bytes(b"")
    os.utime(raw / "old.npz", (0, 0))
    code = f"""
        from pathlib import Path
        from engine_job import *
        f, device = enter()
        from nnplug.engine.selection import lacks_softmax
        from nnplug.engine.softmax import write_softmax
        fold = Path({str(fold)!r})
        print(lacks_softmax(fold.parent, 0))
        write_softmax(job(), device, fold)
        print(lacks_softmax(fold.parent, 0))
        """
    assert run_python(code, planned, results=tmp_path).split() == ["True", "False"]
    assert not (raw / "old.npz").exists()
    assert json.loads((raw / "validation_args.json").read_text())["do_mirroring"] is False
    for name, mask in before.items():
        stem = raw / name.removesuffix(".nii.gz")
        np.testing.assert_array_equal(voxels(raw / name), mask)
        properties = pickle.loads(Path(f"{stem}.pkl").read_bytes())
        box = tuple(slice(*side) for side in properties["crop_bbox"])
        softmax = np.load(f"{stem}.npz")["softmax"].astype(float)
        np.testing.assert_allclose(softmax.sum(0), 1, atol=5e-3)
        chosen = np.take_along_axis(softmax, mask[box][None].astype(int), 0)[0]
        assert (softmax.max(0) - chosen).max() < 2e-3  # float16 may tie


def test_probabilities_that_training_did_not_write_are_computed(planned, tmp_path, run_python):
    """Two networks of one task, trained for an epoch, go all the way to a best.json."""
    code = """
        from engine_job import *
        from nnplug.engine import planning, training
        f, device = enter()
        other = planning.PlanOverrides(2, (16, 16, 16), 6)
        planning.derive(f, TASK, "3d_fullres", "nnUNetPlans_wide", other)
        planning.stamp(f, TASK, "3d_fullres", "hash")
        for plans in (PLANS, "nnUNetPlans_wide"):
            wanted = job(plans_identifier=plans, epochs=1)
            done = training.run(f, device, wanted, on_epoch=lambda _: None, log=f.results / "log")
            print(done.model_folder)
        """
    models = [Path(line) for line in run_python(code, planned, results=tmp_path).split()]
    folders = {
        "nnUNet_raw_data_base": str(planned / "raw"),
        "nnUNet_preprocessed": str(planned / "preprocessed"),
        "RESULTS_FOLDER": str(tmp_path),
    }
    done = best(planned, f"models=[{models[0]},{models[1]}]", "folds=[0]", **folders)
    assert done.returncode == 0, done.stderr
    assert "validating with probabilities: 2" in done.stderr
    found = tmp_path / "nnUNet" / "ensembles" / TASK / "best.json"
    assert len(json.loads(found.read_text())["scores"]) == 3
    for member in ensembling.read_best(found).members:
        assert member.folder in models
    again = best(planned, f"models=[{models[0]},{models[1]}]", "folds=[0]", **folders)
    assert again.returncode == 0, again.stderr
    assert "validating" not in again.stderr
