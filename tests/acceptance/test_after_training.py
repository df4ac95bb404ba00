"""Two networks of real brain MR: the best of them, its masks, its scores, and a model sent away."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from acceptance_tools import Run, run_command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SMALL = [
    *("trainer.epochs=2", "trainer.batches_per_epoch=8", "trainer.val_batches_per_epoch=1"),
    *("trainer.batch_size=2", "trainer.base_num_features=4", "device=cpu"),
]
FOLDS = (0, 1)
MODELS = "nnplug_data/nnUNet_trained_models/nnUNet"
TASK = "nnplug_data/nnUNet_raw_data_base/nnUNet_raw_data/Task104_Hippocampus"


@pytest.fixture(scope="module")
def folder(nnplug: Run, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds of nnU-Net's 2d network and of a plugin's 3d one; three cases are held out."""
    folder = tmp_path_factory.mktemp("after")
    for kind in ("images", "labels"):
        (folder / "source" / kind).mkdir(parents=True)
        for path in sorted((shared_data / "hippocampus" / kind).iterdir())[:13]:
            shutil.copy(path, folder / "source" / kind)
    names = sorted(path.name for path in (folder / "source" / "labels").iterdir())
    held_out = ",".join(name.removesuffix(".nii.gz") for name in names[-3:])
    for network, trainer in (("2d", "v2"), ("3d_fullres", "quick")):
        for fold in FOLDS:
            nnplug(
                *(folder, "train", "dataset=hippocampus", "dataset.source=source"),
                f"dataset.test=[{held_out}]",
                *(f"network={network}", f"trainer={trainer}", f"fold={fold}", *SMALL),
            )
    return folder


def masks(folder: Path) -> dict[str, np.ndarray]:
    return {
        path.name.removesuffix(".nii.gz"): sitk.GetArrayFromImage(sitk.ReadImage(path))
        for path in sorted(folder.glob("*.nii.gz"))
    }


def test_the_best_is_chosen_predicted_and_scored(nnplug: Run, folder: Path) -> None:
    models = ",".join(str(path) for path in sorted(folder.glob(f"{MODELS}/*/Task104_*/nnUNet*")))
    words = ("dataset=hippocampus", "device=cpu")
    chosen = nnplug(folder, "best", *words, f"models=[{models}]", "folds=[0,1]")
    assert "validating with probabilities: 4" in chosen.stderr
    (file,) = folder.glob(f"{MODELS}/ensembles/*/best.json")
    best = json.loads(file.read_text())
    assert len(best["scores"]) == 3
    inputs, labels = folder / TASK / "imagesTs", folder / TASK / "labelsTs"
    # Whatever was chosen, the pair is what has to be averaged.
    pair = file.with_name("pair")
    pair.mkdir()
    members = [{"model": model, "folds": [0, 1]} for model in models.split(",")]
    (pair / "rules.json").write_text('{"for_which_classes": []}')
    content = {"members": members, "postprocessing": "rules.json"}
    (pair / "best.json").write_text(json.dumps(content))
    nnplug(folder, "predict", *words, "model=best", f"input={inputs}", "output=best")
    both = f"model={pair / 'best.json'}"
    nnplug(folder, "predict", *words, both, f"input={inputs}", "output=both", "softmax=true")
    single = []
    for number, model in enumerate(models.split(",")):
        output = (f"output=single{number}", "softmax=true")
        nnplug(folder, "predict", *words, f"model={model}", f"input={inputs}", *output)
        single.append(folder / f"single{number}")
    found = masks(folder / "both")
    assert len(found) == len(masks(folder / "best")) == 3
    for case, mask in found.items():
        parts = [np.load(each / f"{case}.npz")["softmax"].astype(np.float64) for each in single]
        mean = np.load(folder / "both" / f"{case}.npz")["softmax"]
        np.testing.assert_allclose(mean, (parts[0] + parts[1]) / 2, atol=5e-4)
        top = np.sort((parts[0] + parts[1]) / 2, axis=0)
        box = pickle.loads((folder / "both" / f"{case}.pkl").read_bytes())["crop_bbox"]
        inside = mask[tuple(slice(*side) for side in box)]
        sure = top[-1] - top[-2] > 2e-3  # half precision may tie
        assert (inside == (parts[0] + parts[1]).argmax(0))[sure].all()
        assert sure.mean() > 0.9
    nnplug(folder, "evaluate", f"reference={labels}", "prediction=both", "output=scores.json")
    scores = json.loads((folder / "scores.json").read_text())
    for case, mask in found.items():
        truth = sitk.GetArrayFromImage(sitk.ReadImage(labels / f"{case}.nii.gz"))
        for name, dice in ((n, f["dice"]) for n, f in scores["cases"][case].items()):
            value = scores["labels"][name]
            overlap = ((mask == value) & (truth == value)).sum()
            wanted = 2 * overlap / ((mask == value).sum() + (truth == value).sum())
            assert dice == pytest.approx(wanted)


def test_a_model_sent_away_needs_its_plugin(nnplug: Run, folder: Path, tmp_path: Path) -> None:
    (model,) = folder.glob(f"{MODELS}/3d_fullres/*/*")
    words = (f"input={folder / TASK / 'imagesTs'}", "device=cpu", "folds=[0]")
    nnplug(folder, "predict", f"model={model}", *words, f"output={tmp_path / 'here'}")
    nnplug(folder, "bundle", "export", str(model), f"output={tmp_path / 'model.zip'}")
    name = nnplug(tmp_path, "bundle", "import", "model.zip").stdout.strip()
    predict = ["predict", f"model={name}", *words, "output=there"]
    command = [sys.executable, "-m", "nnplug", *predict]
    without = run_command(command, tmp_path, code=3, NNPLUG_BLOCK="trainers")
    assert "nnU-Net finds no trainer 'nnUNetTrainerV2_Quick'" in without.stderr
    assert "nnplug-trainers" in without.stderr
    assert not (tmp_path / "there").exists()
    nnplug(tmp_path, *predict)
    here, there = masks(tmp_path / "here"), masks(tmp_path / "there")
    assert list(here) == list(there)
    for case, mask in here.items():
        np.testing.assert_array_equal(mask, there[case])
