"""Real images: the same cases from three formats give the same voxels."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from nnplug.catalog import Catalog
from nnplug.config.settings import Choice, DataSettings
from nnplug.stages import convert

Find = Callable[[str], Path]
Make = Callable[..., DataSettings]
CASES = 8
LABELS = {"background": 0, "anterior": 1, "posterior": 2}
TABLE = {"table": {0: 0, 127: 1, 255: 2}}


def some(source: Path, target: Path, names: list[str], ending: str) -> Path:
    """A source of links to the cases ``names`` of another."""
    for folder in ("images", "labels"):
        (target / folder).mkdir(parents=True)
        for name in names:
            link = target / folder / f"{name}{ending}"
            link.symlink_to(source / folder / f"{name}{ending}")
    return target


def originals(task: Path) -> dict[str, str]:
    with (task / "case_map.csv").open(newline="") as stream:
        return {row["original"]: row["case"] for row in csv.DictReader(stream)}


def read(path: Path) -> Any:
    image: Any = nibabel.load(path)
    return image


@pytest.mark.parametrize("kind", ["mha", "png"])
def test_hippocampus_is_the_same_from_every_format(
    tmp_path: Path, shared_data: Find, settings: Make, kind: str
) -> None:
    pytest.importorskip(f"nnplug_{kind}", reason=f"nnplug-{kind} is not installed")
    nifti, other = shared_data("hippocampus"), shared_data(f"hippocampus_{kind}")
    ending = ".mha" if kind == "mha" else ""
    every = sorted(path.name.removesuffix(ending) for path in (other / "images").iterdir())
    names = [name for name in every if not name.startswith(".")][:CASES]
    sources = {
        "nifti": some(nifti, tmp_path / "source_nifti", names, ".nii.gz"),
        kind: some(other, tmp_path / "source_other", names[1:], ending),
    }
    chosen: dict[str, dict[str, Choice]] = {"nifti": {}, "mha": {}}
    chosen["png"] = {"remap": Choice("table", TABLE)}
    options = {"spacing": [1.0, 1.0, 1.0]} if kind == "png" else {}
    tasks = {}
    for name, source in sources.items():
        made = settings(
            source,
            converter=Choice(name, options if name == kind else {}),
            root=tmp_path / name,
            labels=LABELS,
            channels={0: "MRI"},
            **chosen[name],
        )
        tasks[name] = convert.run(made, Catalog.build()).task
    cases, others = originals(tasks["nifti"]), originals(tasks[kind])
    assert (len(cases), len(others)) == (len(names), len(names) - 1)
    for name, case in others.items():
        for folder, end in (("imagesTr", "_0000.nii.gz"), ("labelsTr", ".nii.gz")):
            one = read(tasks["nifti"] / folder / f"{cases[name]}{end}")
            two = read(tasks[kind] / folder / f"{case}{end}")
            np.testing.assert_array_equal(one.get_fdata(), two.get_fdata())
            np.testing.assert_allclose(one.header.get_zooms(), two.header.get_zooms(), atol=1e-4)
        assert set(np.unique(two.get_fdata())) == {0, 1, 2}


def test_sarcoma_converts_without_a_dataset_file(
    tmp_path: Path, shared_data: Find, command: Callable[..., tuple[int, str, str]]
) -> None:
    sts = shared_data("sts") / "nifti"
    patients = sorted(path.name for path in sts.iterdir())[:2]
    for patient in patients:
        (tmp_path / "source").mkdir(exist_ok=True)
        (tmp_path / "source" / patient).symlink_to(sts / patient)
    code, _, err = command(
        "convert",
        "dataset.name=STS",
        "dataset.task_id=301",
        "dataset.source=source",
        "dataset.channels={0:PET}",
        "dataset.labels={background:0,GTV:1}",
        "converter=nifti",
        "workers=1",
    )
    assert code == 0, err
    task = tmp_path / "nnplug_data" / "nnUNet_raw_data_base" / "nnUNet_raw_data" / "Task301_STS"
    assert list(originals(task)) == patients
    for patient, case in originals(task).items():
        image = read(task / "imagesTr" / f"{case}_0000.nii.gz")
        before = read(sts / patient / "PET_image.nii.gz")
        np.testing.assert_array_equal(image.get_fdata(), before.get_fdata())
        np.testing.assert_allclose(image.affine, before.affine, atol=1e-4)
        label = read(task / "labelsTr" / f"{case}.nii.gz")
        mask = read(sts / patient / "PET_mask.nii.gz")
        np.testing.assert_array_equal(label.get_fdata(), mask.get_fdata())
        np.testing.assert_array_equal(label.affine, image.affine)
