"""A source becomes a task folder just as nnU-Net v1 wants it."""

from __future__ import annotations

import csv
import hmac
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from nnplug.catalog import Catalog
from nnplug.config.settings import Choice, DataSettings
from nnplug.errors import ConfigError
from nnplug.stages import convert

Cohort = Callable[..., Path]
Make = Callable[..., DataSettings]


def listing(task: Path) -> list[str]:
    files = (path for path in task.glob("*s??/*") if path.is_file())
    return sorted(path.relative_to(task).as_posix() for path in files)


def voxels(path: Path) -> Any:
    image: Any = nibabel.load(path)
    return np.asanyarray(image.dataobj)


def case_map(task: Path) -> dict[str, dict[str, str]]:
    with (task / "case_map.csv").open(newline="") as stream:
        return {row["original"]: row for row in csv.DictReader(stream)}


@pytest.fixture
def converted(cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path) -> Path:
    """Three labelled cases, of which ``p10`` is held out."""
    chosen = settings(
        cohort("p1", "p2", "p10"),
        test=["p10"],
        description="Toys",
        reference="me",
        licence="CC0",
        release="2.1",
        channels={0: "CT"},
    )
    result = convert.run(chosen, core_catalog)
    assert (result.task, result.converted, result.unchanged) == (toy_task, 3, 0)
    return toy_task


def test_files_are_named_and_placed_as_nnunet_wants(converted: Path) -> None:
    assert listing(converted) == [
        "imagesTr/Toy_000_0000.nii.gz",
        "imagesTr/Toy_001_0000.nii.gz",
        "imagesTs/Toy_002_0000.nii.gz",
        "labelsTr/Toy_000.nii.gz",
        "labelsTr/Toy_001.nii.gz",
        "labelsTs/Toy_002.nii.gz",
    ]


def test_dataset_json_has_every_field_of_the_tutorials(converted: Path) -> None:
    assert json.loads((converted / "dataset.json").read_text()) == {
        "name": "Toy",
        "description": "Toys",
        "reference": "me",
        "licence": "CC0",
        "release": "2.1",
        "tensorImageSize": "3D",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "shell", "2": "core"},
        "numTraining": 2,
        "numTest": 1,
        "training": [
            {"image": "./imagesTr/Toy_000.nii.gz", "label": "./labelsTr/Toy_000.nii.gz"},
            {"image": "./imagesTr/Toy_001.nii.gz", "label": "./labelsTr/Toy_001.nii.gz"},
        ],
        "test": ["./imagesTs/Toy_002.nii.gz"],
    }


def test_voxels_and_places_are_those_of_the_source(converted: Path, cohort: Cohort) -> None:
    source = cohort()
    for original, row in case_map(converted).items():
        ending = "Tr" if row["split"] == "train" else "Ts"
        image = converted / f"images{ending}" / f"{row['case']}_0000.nii.gz"
        label = converted / f"labels{ending}" / f"{row['case']}.nii.gz"
        for got, wanted in ((image, "images"), (label, "labels")):
            before = source / wanted / f"{original}.nii.gz"
            np.testing.assert_array_equal(voxels(got), voxels(before))
            affines: list[Any] = [nibabel.load(path) for path in (got, before)]
            np.testing.assert_allclose(affines[0].affine, affines[1].affine, atol=1e-6)


def test_the_case_map_names_originals_in_natural_order(converted: Path) -> None:
    assert (converted / "case_map.csv").read_text() == (
        "case,original,subject,split\n"
        "Toy_000,p1,p1,train\nToy_001,p2,p2,train\nToy_002,p10,p10,test\n"
    )


def test_nnunet_accepts_the_folder(converted: Path) -> None:
    code = (
        "import sys; from nnunet.preprocessing.sanity_checks import verify_dataset_integrity; "
        "verify_dataset_integrity(sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(converted)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "Dataset OK" in done.stdout


def test_channels_become_one_file_each(
    tmp_path: Path, save: Any, settings: Make, core_catalog: Catalog, toy_task: Path
) -> None:
    rng = np.random.default_rng(0)
    for channel in range(2):
        values = rng.integers(0, 99, (4, 5, 6)).astype(np.int16) + 100 * channel
        save(tmp_path / "source" / "images" / f"a_000{channel}.nii.gz", values)
    save(tmp_path / "source" / "labels" / "a.nii.gz", np.ones((4, 5, 6), np.uint8))
    chosen = settings(tmp_path / "source", channels={1: "PET", 0: "CT"})
    convert.run(chosen, core_catalog)
    written = json.loads((toy_task / "dataset.json").read_text())
    assert written["modality"] == {"0": "CT", "1": "PET"}
    assert written["tensorImageSize"] == "4D"
    assert voxels(toy_task / "imagesTr" / "Toy_000_0000.nii.gz").max() < 100
    assert voxels(toy_task / "imagesTr" / "Toy_000_0001.nii.gz").min() >= 100


def test_unlabelled_cases_all_go_to_images_ts(
    cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path
) -> None:
    chosen = settings(cohort("p1", "p2", labels=False), unlabelled=True, labels={})
    convert.run(chosen, core_catalog)
    assert listing(toy_task) == ["imagesTs/Toy_000_0000.nii.gz", "imagesTs/Toy_001_0000.nii.gz"]
    written = json.loads((toy_task / "dataset.json").read_text())
    assert (written["numTraining"], written["numTest"]) == (0, 2)


def test_auto_finds_the_converter(
    cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path
) -> None:
    convert.run(settings(cohort("p1"), converter=Choice("auto")), core_catalog)
    assert "Toy_000" in (toy_task / "case_map.csv").read_text()


def test_a_header_within_the_tolerances_becomes_the_images(
    tmp_path: Path, save: Any, cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path
) -> None:
    source = cohort("p1")
    save(source / "labels" / "p1.nii.gz", np.ones((6, 8, 10), np.uint8), (1.0005, 1.5, 2.0))
    convert.run(settings(source), core_catalog)
    written: list[Any] = [
        nibabel.load(toy_task / "imagesTr" / "Toy_000_0000.nii.gz"),
        nibabel.load(toy_task / "labelsTr" / "Toy_000.nii.gz"),
    ]
    np.testing.assert_array_equal(written[0].affine, written[1].affine)
    assert "label header" in (toy_task / "nnplug_manifest.jsonl").read_text()


def test_every_case_is_drawn_and_measured_unless_unwanted(
    cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path
) -> None:
    source = cohort("p1", "p2")
    convert.run(settings(source), core_catalog)
    drawn = sorted(path.name for path in (toy_task / "qc").iterdir())
    assert drawn == ["Toy_000.png", "Toy_001.png", "qc.csv"]
    table = (toy_task / "qc" / "qc.csv").read_text()
    assert table.count("\n") == 3
    for folder in ("images", "labels"):
        (source / folder / "p2.nii.gz").unlink()
    convert.run(settings(source), core_catalog)
    assert not (toy_task / "qc" / "Toy_001.png").exists()
    convert.run(settings(source, how={"qc": False}), core_catalog)
    assert not list((toy_task / "qc").iterdir())


def test_identifiers_are_keyed_pseudonyms_when_a_key_is_given(
    tmp_path: Path, cohort: Cohort, settings: Make, core_catalog: Catalog, toy_task: Path
) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 15)
    with pytest.raises(ConfigError, match="at least 16 bytes"):
        convert.run(settings(cohort("p1"), pseudonym_key=key), core_catalog)
    key.write_bytes(b"k" * 16)
    convert.run(settings(cohort("p1"), pseudonym_key=key), core_catalog)
    wanted = hmac.new(b"k" * 16, b"p1", "sha256").hexdigest()[:10]
    assert listing(toy_task)[0] == f"imagesTr/Toy_{wanted}_0000.nii.gz"
