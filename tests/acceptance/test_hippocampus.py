"""Real brain MR through the whole corridor, with nnU-Net's own trainers made small."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from acceptance_tools import Run, run_command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SMALL = [
    *("trainer.epochs=2", "trainer.batches_per_epoch=4", "trainer.val_batches_per_epoch=2"),
    *("trainer.batch_size=2", "trainer.base_num_features=4", "device=cpu"),
]
PNG = ["converter.spacing=[1,1,1]", "remap=table", "remap.table={0:0,127:1,255:2}"]


@pytest.mark.parametrize(
    ("trainer", "cohort", "more"),
    [
        ("v2", "hippocampus", []),
        ("v2_dp", "hippocampus_mha", []),
        ("v2", "hippocampus_png", PNG),
    ],
)
def test_train_validate_predict_and_evaluate(
    nnplug: Run, shared_data: Path, tmp_path: Path, trainer: str, cohort: str, more: list[str]
) -> None:
    common = ["dataset=hippocampus", f"trainer={trainer}", "network=3d_fullres", *SMALL]
    source = f"dataset.source={shared_data / cohort}"
    trained = nnplug(tmp_path, "train", *common, source, "fold=0", *more)
    assert "epoch 2/2" in trained.stderr
    assert ("one replica" in trained.stderr) == (trainer == "v2_dp")

    (fold,) = tmp_path.glob("nnplug_data/nnUNet_trained_models/nnUNet/3d_fullres/*/*/fold_0")
    validated = {path.name for path in (fold / "validation_raw").glob("*.nii.gz")}
    assert validated
    record = json.loads((fold / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["config"]["trainer"]["epochs"] == 2

    inputs, references = tmp_path / "new", tmp_path / "reference"
    inputs.mkdir()
    references.mkdir()
    task = tmp_path / "nnplug_data/nnUNet_raw_data_base/nnUNet_raw_data/Task104_Hippocampus"
    chosen = sorted(validated)[:2]
    for name, given in zip(chosen, ("{}.nii.gz", "{}_0000.nii.gz"), strict=True):
        case = name.removesuffix(".nii.gz")
        shutil.copy(task / "imagesTr" / f"{case}_0000.nii.gz", inputs / given.format(case))
        shutil.copy(task / "labelsTr" / name, references / name)
    nnplug(
        *(tmp_path, "predict", "dataset=hippocampus", f"trainer={trainer}", "folds=[0]"),
        *("input=new", "output=masks", "device=cpu", "label_values=dataset"),
    )
    assert sorted(path.name for path in (tmp_path / "masks").glob("*.nii.gz")) == chosen
    for name in chosen:
        again = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "masks" / name)))
        validation = sitk.GetArrayFromImage(sitk.ReadImage(str(fold / "validation_raw" / name)))
        np.testing.assert_array_equal(again, validation)

    if more:
        nnplug(
            *(tmp_path, "predict", "dataset=hippocampus", f"trainer={trainer}", "folds=[0]"),
            *("input=new", "output=as_in_source", "device=cpu"),
        )
        for name in chosen:
            both = (tmp_path / folder / name for folder in ("masks", "as_in_source"))
            ours, theirs = (sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in both)
            np.testing.assert_array_equal(np.array([0, 127, 255])[ours], theirs)

    nnplug(
        *(tmp_path, "evaluate", "reference=reference", "prediction=masks"),
        *("output=scores.json", "labels={anterior:1,posterior:2}"),
    )
    scores = json.loads((tmp_path / "scores.json").read_text())
    summary = json.loads((fold / "validation_raw" / "summary.json").read_text())
    stock = {Path(entry["test"]).name: entry for entry in summary["results"]["all"]}
    for name in chosen:
        for label, value in (("anterior", "1"), ("posterior", "2")):
            ours = scores["cases"][name.removesuffix(".nii.gz")][label]["dice"]
            assert ours == pytest.approx(stock[name][value]["Dice"], nan_ok=True)


def test_a_converted_task_passes_the_stock_integrity_check(
    nnplug: Run, shared_data: Path, tmp_path: Path
) -> None:
    source = f"dataset.source={shared_data / 'hippocampus_mha'}"
    nnplug(tmp_path, "convert", "dataset=hippocampus", source)
    data = tmp_path / "nnplug_data"
    stock = Path(sys.executable).with_name("nnUNet_plan_and_preprocess")
    done = run_command(
        [str(stock), "-t", "104", "--verify_dataset_integrity", "-pl2d", "None", "-no_pp"],
        tmp_path,
        nnUNet_raw_data_base=str(data / "nnUNet_raw_data_base"),
        nnUNet_preprocessed=str(data / "nnUNet_preprocessed"),
        RESULTS_FOLDER=str(data / "nnUNet_trained_models"),
        PATH=os.environ["PATH"],
    )
    assert "Dataset OK" in done.stdout
