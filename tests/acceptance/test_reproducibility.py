"""A training is followed, repeated from its record, compared, and refused where things changed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from acceptance_tools import Run

CONFIG = [
    *("dataset.name=Toy", "dataset.task_id=301", "dataset.channels={0: CT}", "device=cpu"),
    *("dataset.labels={background: 0, shell: 1, core: 2}", "experiment=small", "seed=1"),
    *("trainer.epochs=2", "trainer.batches_per_epoch=2", "trainer.val_batches_per_epoch=1"),
    *("trainer.base_num_features=4", "workers=1", "overlays=1", "convert.qc=false"),
]
SUBJECTS = "Miller_0: Miller, Miller_1: Smith, Miller_2: C, Miller_3: D, Miller_4: E"


def _write_cohort(folder: Path) -> None:
    rng = np.random.default_rng(5)
    z, y, x = np.mgrid[:20, :28, :24]
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for number in range(5):
        ball = (z - 10) ** 2 + (y - 14) ** 2 + (x - 12 + number % 3) ** 2
        label = (ball < 60).astype(np.uint8) + (ball < 18)
        image = (label * 100.0 + rng.normal(300, 20, label.shape)).astype(np.float32)
        for values, where in ((image, "images"), (label, "labels")):
            path = folder / where / f"Miller_{number}.nii.gz"
            sitk.WriteImage(sitk.GetImageFromArray(values), str(path))


@pytest.mark.slow
def test_a_run_is_recorded_repeated_and_compared(nnplug: Run, tmp_path: Path) -> None:
    _write_cohort(tmp_path / "source")
    nnplug(
        tmp_path,
        *("train", *CONFIG, f"dataset.source={tmp_path / 'source'}", "tracking=[tensorboard]"),
        f"dataset.subject={{{SUBJECTS}}}",
    )
    (fold,) = (tmp_path / "nnplug_data").glob("nnUNet_trained_models/nnUNet/*/*/*/fold_0")
    written = (fold / "run.json").read_text()
    record = json.loads(written)
    assert (record["status"], record["problems"]) == ("finished", [])
    assert record["sessions"][0]["command"][1] == "train"
    assert record["sources"]["nnplug"].keys() == {"commit", "changes"}
    assert "Smith" not in written
    assert "Miller" not in written

    with (fold / "progress.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"dice.shell", "dice.core", "lr", "seconds_per_step.loading"} <= set(rows[0])
    assert len(list((fold / "overlays").glob("*.png"))) == 2
    assert list((fold / "tensorboard").glob("events.*"))
    assert json.loads((fold / "tracking" / "tensorboard.json").read_text())["told"] == [1, 2]

    # The repetition has the same losses and masks, and says so.
    nnplug(tmp_path, "rerun", str(fold))
    (again,) = (tmp_path / "nnplug_data" / "reruns" / "1").glob("*/nnUNet/*/*/*/fold_0")
    found = json.loads(nnplug(tmp_path, "diff", str(fold), str(again), "--json").stdout)
    assert (found["data"], found["results"], found["software"]) == ({}, {}, {})
    assert set(found["config"]) <= {"paths.root", "dataset.source", "dataset.subject"}
    for mask in (fold / "validation_raw").glob("*.nii.gz"):
        one, other = (
            sitk.ReadImage(str(run / "validation_raw" / mask.name)) for run in (fold, again)
        )
        np.testing.assert_array_equal(
            sitk.GetArrayViewFromImage(one), sitk.GetArrayViewFromImage(other)
        )

    # Trained before: refused, and its record stays.
    before = (fold / "run.json").read_text()
    nnplug(tmp_path, "train", *CONFIG, code=5)
    assert (fold / "run.json").read_text() == before

    # Other data and another version of a package are listed.
    (label,) = (tmp_path / "nnplug_data").glob("*/*/Task301_Toy/labelsTr/*_001.nii.gz")
    label.touch()
    record["versions"]["torch"] = "1.0"
    manifest = label.parents[1] / "nnplug_manifest.jsonl"
    manifest.write_text(manifest.read_text().replace("labelsTr", "elsewhere"))
    (fold / "run.json").write_text(json.dumps(record))
    refused = nnplug(tmp_path, "rerun", str(fold), code=5).stderr
    assert "versions.torch: 1.0 |" in refused
    assert f"data: {record['data_hash']} |" in refused
    assert "--anyway" in refused
