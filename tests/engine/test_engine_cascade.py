"""The cascade: both stages trained by one command, and nnU-Net's own commands as the oracle."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
LOWRES, CASCADE = "3d_lowres", "3d_cascade_fullres"
SMALL = [
    *("trainer.epochs=1", "trainer.batches_per_epoch=2", "trainer.val_batches_per_epoch=1"),
    *("trainer.batch_size=2", "trainer.base_num_features=4"),
]
TASK = [
    *("dataset.name=Toy", "dataset.task_id=301", "dataset.channels={0: CT}", "device=cpu"),
    *("dataset.labels={background: 0, shell: 1, core: 2}", "paths.root=root", "workers=1"),
]
SPLIT = [
    {"train": ["p0", "p1"], "val": ["p2", "p3"]},
    {"train": ["p2", "p3"], "val": ["p0", "p1"]},
]


def run(folder: Path, *arguments: str, code: int = 0, **environ: str) -> str:
    """Run Python in ``folder``; what it printed."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("nnUNet", "RESULTS"))}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**inherited, "OMP_NUM_THREADS": "1", **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def train(folder: Path, *more: str, network: str = CASCADE, code: int = 0) -> str:
    arguments = [*TASK, "dataset.source=source", "convert.qc=false", *SMALL, f"network={network}"]
    return run(folder, str(HERE / "small_gpu.py"), "train", *arguments, *more, code=code)


def stock(folder: Path, module: str, *arguments: str) -> str:
    """Run a command of nnU-Net on the folders of ``root``."""
    code = f"""
import sys, torch
from nnplug.engine.safe import _numpy_globals
torch.serialization.add_safe_globals(_numpy_globals())
if __name__ == "__main__":
    from {module} import main
    main()
"""
    script = folder / "stock.py"
    script.write_text(code)
    root = folder / "root"
    return run(
        folder,
        str(script),
        *arguments,
        nnUNet_raw_data_base=str(root / "nnUNet_raw_data_base"),
        nnUNet_preprocessed=str(root / "nnUNet_preprocessed"),
        RESULTS_FOLDER=str(root / "nnUNet_trained_models"),
    )


def model(folder: Path, network: str = CASCADE) -> Path:
    (found,) = (folder / "root" / "nnUNet_trained_models" / "nnUNet").glob(f"{network}/*/*__*")
    return found


def arrays(folder: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name.endswith(".nii.gz"):
            found[path.name] = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        elif path.suffix == ".npz":
            found[path.name] = np.load(path)["data"]
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return list(one) == list(other) and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four cases in two folds; fold 0 of the cascade, trained from the source images."""
    folder = tmp_path_factory.mktemp("cascade")
    rng = np.random.default_rng(5)
    z, y, x = np.mgrid[:32, :40, :36]
    for number in range(4):
        centre = rng.uniform(-2, 2, 3)
        ball = (z - 16 - centre[0]) ** 2 + (y - 20 - centre[1]) ** 2 + (x - 18 - centre[2]) ** 2
        label = (ball < 120).astype(np.uint8) + (ball < 40)
        image = label * 100.0 + rng.normal(0, 20, label.shape) + 300
        for name, values in (("images", image.astype(np.float32)), ("labels", label)):
            written = sitk.GetImageFromArray(values)
            written.SetSpacing((1.0, 1.0, 1.2))
            path = folder / "source" / name / f"p{number}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(written, str(path))
    (folder / "split.json").write_text(json.dumps(SPLIT))
    printed = train(folder, "fold=0", "split.file=split.json")
    assert printed.index("training 3d_lowres fold 0") < printed.index("training 3d_lowres fold 1")
    return folder


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    """A copy to change; times are kept."""
    return shutil.copytree(trained, tmp_path / "copy")


def test_deleted_predictions_are_made_again_alone(copy: Path) -> None:
    lowres = model(copy, LOWRES)
    before = arrays(lowres / "pred_next_stage")
    assert len(before) == 4
    weights = {path: path.stat().st_mtime_ns for path in lowres.rglob("*.model")}
    (lowres / "pred_next_stage" / "Toy_002_segFromPrevStage.npz").unlink()
    other = lowres / "pred_next_stage" / "Toy_003_segFromPrevStage.npz"
    other.write_bytes(other.read_bytes()[:100])
    times = {path.name: path.stat().st_mtime_ns for path in other.parent.iterdir()}
    planned = train(copy, "fold=1", "--dry-run")
    assert "missing 3d_lowres fold 0, predictions for the next stage  1 of 2 cases" in planned
    assert "done    3d_lowres fold 1, predictions" in planned

    printed = train(copy, "fold=1")
    assert "only predicting 2 for the next stage" in printed
    assert "training 3d_lowres fold 1" not in printed
    assert same(arrays(lowres / "pred_next_stage"), before)
    assert {path: path.stat().st_mtime_ns for path in lowres.rglob("*.model")} == weights
    after = {path.name: path.stat().st_mtime_ns for path in other.parent.iterdir()}
    assert {name for name in times if times[name] != after[name]} == {other.name}


def test_predictions_of_other_weights_are_stale(copy: Path) -> None:
    for path in model(copy, LOWRES).glob("fold_1/model_final_checkpoint.model"):
        path.touch()
    planned = train(copy, "fold=1", "--dry-run")
    assert "stale   3d_lowres fold 1, predictions for the next stage  2 of 2 cases" in planned
    assert "done    3d_lowres fold 0, predictions" in planned


def test_a_cascade_is_of_the_predictions_it_was_trained_with(copy: Path) -> None:
    lowres = model(copy, LOWRES)
    path = lowres / "pred_next_stage" / "Toy_001_segFromPrevStage.npz"
    assert "done    train" in train(copy, "fold=0", "--dry-run")
    with np.load(path) as arrays:
        values = arrays["data"]
    np.savez_compressed(path, data=values)
    noted = json.loads((lowres / "fold_1" / "next_stage.json").read_text())
    touched = [path.stat().st_size, path.stat().st_mtime_ns]
    noted["cases"]["Toy_001"] = touched
    (lowres / "fold_1" / "next_stage.json").write_text(json.dumps(noted))
    assert "done    train" in train(copy, "fold=0", "--dry-run")  # the same once more

    np.savez_compressed(path, data=1 - np.minimum(values, 1))
    noted["cases"]["Toy_001"] = [path.stat().st_size, path.stat().st_mtime_ns]
    (lowres / "fold_1" / "next_stage.json").write_text(json.dumps(noted))
    planned = train(copy, "fold=0", "--dry-run")
    assert re.search("stale +train +trained with other predictions of the first stage", planned)
    printed = train(copy, "fold=0", "resume.extend=1", code=5)
    assert "changed since this checkpoint: predictions of the first stage" in printed


def test_a_bundle_of_a_cascade_predicts_elsewhere(copy: Path) -> None:
    images = copy / "root/nnUNet_raw_data_base/nnUNet_raw_data/Task301_Toy/imagesTr"
    (copy / "in").mkdir()
    shutil.copy(images / "Toy_000_0000.nii.gz", copy / "in")
    name = "/".join(model(copy).parts[-3:])
    here = ("-m", "nnplug", "bundle")
    run(copy, *here, "export", name, "output=x.zip", "folds=[0]", "paths.root=root")
    assert run(copy, *here, "import", "x.zip", "paths.root=other").splitlines()[0] == name
    for root in ("root", "other"):
        words = (f"model={name}", f"paths.root={root}", "input=in", f"output=in_{root}")
        run(copy, "-m", "nnplug", "predict", *words, "folds=[0]", "device=cpu")
    masks = arrays(copy / "in_root")
    assert all(mask.any() for mask in masks.values())
    assert same(arrays(copy / "in_other"), masks)


def test_a_first_stage_of_its_own(copy: Path) -> None:
    with_own = ["fold=0", "lowres={epochs: 2}", "--dry-run"]
    planned = train(copy, *with_own)
    assert "missing 3d_lowres fold 0 " in planned
    assert "missing train" in planned
    assert "done    train" in train(copy, "fold=0", "--dry-run")
    assert "done    train" in train(copy, "fold=0", "lowres={epochs: 1}", "--dry-run")


def test_a_trainer_without_second_stage_is_refused_before_any_work(copy: Path) -> None:
    shutil.rmtree(copy / "root")
    printed = train(copy, "fold=0", "trainer=v2_dp", code=5)
    assert "nnUNetTrainerV2_DP can't train network 3d_cascade_fullres" in printed
    assert not list((copy / "root").rglob("*.nii.gz"))


def test_prediction_runs_both_stages_as_stock_does(copy: Path) -> None:
    images = copy / "root/nnUNet_raw_data_base/nnUNet_raw_data/Task301_Toy/imagesTr"
    (copy / "in").mkdir()
    for case in ("Toy_000", "Toy_001"):
        shutil.copy(images / f"{case}_0000.nii.gz", copy / "in")
    run(
        *(copy, "-m", "nnplug", "predict", *TASK, *SMALL, f"network={CASCADE}"),
        *("input=in", "output=mine", "folds=[0]"),
    )
    identifier = model(copy).name.partition("__")[2]
    stock(
        *(copy, "nnunet.inference.predict_simple", "-i", "in", "-o", "theirs", "-t", "301"),
        *("-m", CASCADE, "-p", identifier, "-f", "0", "--disable_mixed_precision"),
        *("--num_threads_preprocessing", "1", "--num_threads_nifti_save", "1"),
    )
    masks = arrays(copy / "theirs")
    assert all(mask.any() for mask in masks.values())
    assert same(arrays(copy / "mine"), masks)

    run(
        *(copy, "-m", "nnplug", "predict", f"model={model(copy)}", "paths.root=root"),
        *("input=in", "output=by_folder", "device=cpu", "folds=[0]"),
    )
    assert same(arrays(copy / "by_folder"), masks)
    shutil.rmtree(model(copy, LOWRES))
    missing = run(
        *(copy, "-m", "nnplug", "predict", f"model={model(copy)}", "paths.root=root"),
        *("input=in", "output=none", "device=cpu"),
        code=5,
    )
    assert "the cascade's first stage is not there: 3d_lowres/Task301_Toy/nnUNet" in missing


def test_stock_finds_both_stages_and_agrees(copy: Path) -> None:
    identifier = model(copy).name.partition("__")[2]
    places = {
        (LOWRES, "nnUNetTrainerV2"): [
            model(copy, LOWRES) / "fold_0" / "validation_raw",
            model(copy, LOWRES) / "pred_next_stage",
        ],
        (CASCADE, "nnUNetTrainerV2CascadeFullRes"): [model(copy) / "fold_0" / "validation_raw"],
    }
    for (network, trainer), folders in places.items():
        before = [arrays(folder) for folder in folders]
        assert all(before)
        for folder in folders:
            for path in folder.glob("Toy_002*"):
                path.unlink()
        stock(
            *(copy, "nnunet.run.run_training", network, trainer, "301", "0", "-val"),
            *("-p", identifier, "--fp32"),
        )
        for folder, arrays_before in zip(folders, before, strict=True):
            assert same(arrays(folder), arrays_before)
    planned = train(copy, "fold=1", "--dry-run")
    assert "3d_lowres fold 0, predictions for the next stage  2 of 2 cases" in planned
