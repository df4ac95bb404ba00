"""From a hospital's DICOM folders, structure sets and all, to a trained model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from acceptance_tools import Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

TASK = "Task303_Sarcoma"
CHANNELS = ("CT", "MR_T1", "PET")


def test_three_modalities_and_a_structure_set_train(
    nnplug: Run, shared_data: Path, tmp_path: Path
) -> None:
    scans = shared_data / "sts"
    nnplug(
        *(tmp_path, "train", "dataset.name=Sarcoma", "dataset.task_id=303"),
        *(f"dataset.source={scans / 'dicom'}", "dataset.channels={0: CT, 1: MR_T1, 2: PET}"),
        *("dataset.labels={background: 0, GTV: 1}", "converter=dicom"),
        *("converter.labels.rois={GTV: [GTV_Mass_CT]}", "convert.reference=CT"),
        *("trainer=v2", "device=cpu", "fold=0", "trainer.epochs=1"),
        *("trainer.batches_per_epoch=2", "trainer.val_batches_per_epoch=1"),
        *("trainer.base_num_features=4", "trainer.patch_size=[16,64,64]"),
    )
    task = tmp_path / "nnplug_data/nnUNet_raw_data_base/nnUNet_raw_data" / TASK
    description = json.loads((task / "dataset.json").read_text())
    assert description["modality"] == {str(n): name for n, name in enumerate(CHANNELS)}
    assert description["numTraining"] == 8
    rows = (task / "case_map.csv").read_text().splitlines()[1:]
    assert {row.split(",")[1] for row in rows} == {p.name for p in (scans / "dicom").iterdir()}
    for row in rows:
        case, original, *_ = row.split(",")
        _compare(task, case, scans / "nifti" / original)
    (summary,) = tmp_path.glob("nnplug_data/nnUNet_trained_models/**/validation_raw/summary.json")
    assert "1" in json.loads(summary.read_text())["results"]["mean"]


def _compare(task: Path, case: str, reference: Path) -> None:
    ct = sitk.ReadImage(str(task / "imagesTr" / f"{case}_0000.nii.gz"))
    expected = sitk.ReadImage(str(reference / "CT_image.nii.gz"))
    assert np.array_equal(sitk.GetArrayFromImage(ct), sitk.GetArrayFromImage(expected))
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(task / "labelsTr" / f"{case}.nii.gz"))) > 0
    drawn = sitk.GetArrayFromImage(sitk.ReadImage(str(reference / "CT_mask.nii.gz"))) > 0
    assert 2 * (mask & drawn).sum() / (mask.sum() + drawn.sum()) >= 0.999
    for channel, name in enumerate(CHANNELS[1:], start=1):
        there = sitk.ReadImage(str(task / "imagesTr" / f"{case}_{channel:04d}.nii.gz"))
        assert there.GetSize() == ct.GetSize()
        _same_place(there, sitk.ReadImage(str(reference / f"{name}_image.nii.gz")))


def _same_place(resampled: sitk.Image, original: sitk.Image) -> None:
    """Where the original's voxels lie well inside, both have nearly the same value there."""
    rng = np.random.default_rng(0)
    size = np.array(original.GetSize())
    pairs = []
    for index in rng.integers(1, size - 1, (400, 3)).tolist():
        point = original.TransformIndexToPhysicalPoint(index)
        place = np.array(resampled.TransformPhysicalPointToContinuousIndex(point))
        if (place > 1).all() and (place < np.array(resampled.GetSize()) - 2).all():
            pairs.append((original[index], resampled.EvaluateAtPhysicalPoint(point)))
    ours, theirs = np.array(pairs).T
    assert len(pairs) > 20
    assert np.corrcoef(ours, theirs)[0, 1] > 0.9
