"""Tasks of the Medical Segmentation Decathlon, read as their dataset.json says."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.errors import SourceError
from nnplug.formats import decathlon
from nnplug.formats.nifti import NiftiConverter
from nnplug.formats.nifti_survey import survey
from nnplug.types import Layout, Source

CHANNELS = {0: "T2", 1: "ADC"}


def write(path: Path, shape: tuple[int, ...], seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 3, shape).astype(np.int16)
    nib.save(nib.Nifti1Image(values, np.diag([0.5, 0.5, 3, 1])), path)


def task(root: Path, channels: int = 2, **changes: Any) -> Path:
    """Two training cases and a test case in the way of Task05_Prostate."""
    shape = (5, 6, 4, channels) if channels > 1 else (5, 6, 4)
    for number, name in enumerate(("imagesTr/p_00", "imagesTr/p_10", "imagesTs/p_03")):
        write(root / f"{name}.nii.gz", shape, number)
    for name in ("p_00", "p_10"):
        write(root / "labelsTr" / f"{name}.nii.gz", (5, 6, 4))
    (root / "imagesTr" / "._p_00.nii.gz").write_bytes(b"junk")
    text = {
        "name": "PROSTATE",
        "tensorImageSize": "4D",
        "modality": {"0": "T2", "1": "ADC"} if channels > 1 else {"0": "T2"},
        "labels": {"0": "background", "1": "PZ", "2": "TZ"},
        "training": [
            {"image": f"./imagesTr/{n}.nii.gz", "label": f"./labelsTr/{n}.nii.gz"}
            for n in ("p_10", "p_00")
        ],
        "test": ["./imagesTs/p_03.nii.gz"],
        **changes,
    }
    (root / "dataset.json").write_text(json.dumps(text))
    return root


def test_volumes_become_channels(tmp_path: Path) -> None:
    converter = NiftiConverter()
    cases = pickle.loads(pickle.dumps(converter.discover(Source(task(tmp_path), CHANNELS))))
    assert [(c.name, c.split) for c in cases] == [
        ("p_00", "train"),
        ("p_03", "test"),
        ("p_10", "train"),
    ]
    for source in cases:
        case = converter.read(source)
        whole = np.asanyarray(nib.load(source.images[0]).dataobj)
        assert len(case.images) == 2
        for channel, image in enumerate(case.images):
            assert np.array_equal(
                sitk.GetArrayFromImage(image).transpose(2, 1, 0), whole[..., channel]
            )
            assert image.GetSpacing() == (0.5, 0.5, 3)
        assert (case.label is None) == (source.split == "test")


def test_one_channel(tmp_path: Path) -> None:
    converter = NiftiConverter()
    cases = converter.discover(Source(task(tmp_path, channels=1)))
    assert [c.name for c in cases] == ["p_00", "p_03", "p_10"]
    assert converter.read(cases[0]).images[0].GetSize() == (5, 6, 4)


def test_the_number_of_channels_has_to_fit(tmp_path: Path) -> None:
    converter = NiftiConverter()
    (case, *_) = converter.discover(Source(task(tmp_path), {0: "a", 1: "b", 2: "c"}))
    with pytest.raises(SourceError, match="2 volumes, the dataset has 3 channels"):
        converter.read(case)
    (case, *_) = converter.discover(Source(tmp_path))
    with pytest.raises(SourceError, match=r"name every volume in dataset\.channels"):
        converter.read(case)


def test_files_that_are_missing_or_elsewhere_are_problems_of_their_cases(tmp_path: Path) -> None:
    task(tmp_path)
    (tmp_path / "labelsTr" / "p_10.nii.gz").unlink()
    cases = NiftiConverter().discover(Source(tmp_path, CHANNELS))
    assert {c.name for c in cases if "problem" in c.details} == {"p_10"}
    task(tmp_path, test=["../elsewhere/p_03.nii.gz"])
    cases = NiftiConverter().discover(Source(tmp_path, CHANNELS))
    assert "outside" in {c.name: c for c in cases}["p_03"].details["problem"]


def test_unlabelled_cases_have_neither_label_nor_split(tmp_path: Path) -> None:
    cases = NiftiConverter().discover(Source(task(tmp_path), CHANNELS, unlabelled=True))
    assert [(c.label, c.split) for c in cases] == [(None, None)] * 3


def test_a_task_folder_of_nnunet_is_not_one(tmp_path: Path) -> None:
    """Its dataset.json names case.nii.gz where the file is case_0000.nii.gz."""
    task(tmp_path, channels=1)
    for path in tmp_path.glob("images*/p_*"):
        path.rename(path.with_name(path.name.replace(".nii", "_0000.nii")))
    assert decathlon.read(tmp_path) is None
    assert len(NiftiConverter().discover(Source(tmp_path))) == 3


@pytest.mark.parametrize(
    "text",
    ["{", '{"training": [{"image": "./imagesTr/p_00.nii.gz"}]}'],
)
def test_a_dataset_json_that_can_not_be_used_is_named(tmp_path: Path, text: str) -> None:
    task(tmp_path)
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(SourceError) as info:
        NiftiConverter().discover(Source(tmp_path, CHANNELS))
    assert info.value.where == str(tmp_path / "dataset.json")
    assert info.value.hint


def test_a_case_that_is_listed_twice(tmp_path: Path) -> None:
    task(tmp_path, test=["./imagesTr/p_00.nii.gz"])
    with pytest.raises(SourceError, match="several cases have one name: p_00"):
        NiftiConverter().discover(Source(tmp_path, CHANNELS))


@pytest.mark.parametrize("patterns", [False, True])
def test_volumes_become_channels_without_a_dataset_json_too(tmp_path: Path, patterns: bool) -> None:
    (task(tmp_path) / "dataset.json").unlink()
    layout = Layout(("imagesTr/{case}.nii.gz",), "labelsTr/{case}.nii.gz")
    source = Source(tmp_path, CHANNELS, layout=layout if patterns else Layout())
    cases = NiftiConverter().discover(source)
    assert [c.name for c in cases] == (["p_00", "p_10"] if patterns else ["p_00", "p_03", "p_10"])
    assert len(NiftiConverter().read(cases[0]).images) == 2
    assert survey(tmp_path).channels == {0: "channel_0", 1: "channel_1"}


def test_the_survey_knows_channels_and_labels(tmp_path: Path) -> None:
    seen = survey(task(tmp_path))
    assert seen.channels == CHANNELS
    assert seen.labels == {"background": 0, "PZ": 1, "TZ": 2}
    assert [f.use for f in seen.found if f.kind == "image"] == [("T2", "ADC")] * 3
    assert {f.size for f in seen.found} == {(5, 6, 4)}
    assert not seen.unlabelled
