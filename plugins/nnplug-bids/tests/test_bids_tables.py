"""Labels by the names in dseg.tsv; surveys, sidecars and detection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.errors import SourceError
from nnplug.stages.sources import claims
from nnplug.testing.host import isolated
from nnplug.types import Source
from nnplug_bids.converter import BidsConverter
from nnplug_bids.identifiers import identifiers
from nnplug_bids.options import BidsOptions
from nnplug_bids.survey import survey

TABLE = "index\tname\tcolor\n0\tbackground\t#000000\n2\tgrey matter\t#111111\n41\tlesion\t#ff0000\n"
LABELS = {"background": 0, "lesion": 1, "grey matter": 2}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One subject with T1w, FLAIR and a segmentation of the values 2 and 41."""
    values = np.zeros((3, 4, 5), np.int16)
    values[1, 1:3], values[2, 3] = 2, 41
    files = {
        "sub-01/anat/sub-01_T1w": np.arange(60, dtype=np.int16).reshape(3, 4, 5),
        "sub-01/anat/sub-01_FLAIR": np.arange(60, dtype=np.int16).reshape(3, 4, 5),
        "derivatives/seg/sub-01/anat/sub-01_desc-all_dseg": values,
    }
    for name, array in files.items():
        path = tmp_path / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
    return tmp_path


def label(root: Path, **options: Any) -> Any:
    converter = BidsConverter(BidsOptions(**options))
    (case,) = converter.discover(Source(root, {0: "T1w"}, labels=LABELS))
    assert "problem" not in case.details, case.details
    read = converter.read(case)
    assert read.label is not None
    return sitk.GetArrayFromImage(read.label)


@pytest.mark.parametrize(
    "place",
    [
        "derivatives/seg/sub-01/anat/sub-01_desc-all_dseg.tsv",
        "derivatives/seg/desc-all_dseg.tsv",
        "derivatives/seg/dseg.tsv",
    ],
)
def test_values_by_the_names_of_the_table(root: Path, place: str) -> None:
    plain = label(root)
    assert set(np.unique(plain)) == {0, 2, 41}
    (root / place).write_text(TABLE)
    named = label(root)
    assert ((named == 2) == (plain == 2)).all()
    assert ((named == 1) == (plain == 41)).all()
    assert (label(root, table=False) == plain).all()


def test_the_nearest_and_most_specific_table_counts(root: Path) -> None:
    (root / "derivatives/seg/dseg.tsv").write_text(TABLE.replace("lesion", "cyst"))
    (root / "derivatives/seg/desc-all_dseg.tsv").write_text(TABLE)
    (root / "derivatives/seg/desc-other_dseg.tsv").write_text("index\tname\n")
    assert set(np.unique(label(root))) == {0, 1, 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TABLE.replace("41\tlesion", "40\tlesion"), "41"),
        (TABLE.replace("lesion", "tumour"), "tumour"),
        (TABLE + "2\twhite matter\t#222222\n", "twice"),
        ("number\tname\n2\tlesion\n", "index"),
        ("index\tname\n2.5\tlesion\n", "index"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(root: Path, text: str, words: str) -> None:
    (root / "derivatives/seg/dseg.tsv").write_text(text)
    with pytest.raises(SourceError) as caught:
        label(root)
    assert words in f"{caught.value.problem} {caught.value.hint}"
    assert "dseg" in str(caught.value.where)


def test_a_changed_table_is_a_changed_case(root: Path) -> None:
    table = root / "derivatives/seg/dseg.tsv"
    table.write_text(TABLE)
    (case,) = BidsConverter().discover(Source(root, {0: "T1w"}, labels=LABELS))
    assert case.details["files"] == (table,)


def test_the_survey_suggests_channels_and_labels(root: Path) -> None:
    (root / "derivatives/seg/dseg.tsv").write_text(TABLE)
    seen = survey(root)
    assert seen.channels == {0: "FLAIR", 1: "T1w"}
    assert seen.labels == {"background": 0, "grey matter": 1, "lesion": 2}
    assert [found.kind for found in seen.found] == ["image", "image", "label"]
    assert all(found.size == (5, 4, 3) and found.subject == "01" for found in seen.found)
    cases = BidsConverter().discover(Source(root, seen.channels, seen.labels))
    assert [case.details.get("problem") for case in cases] == [None]


def test_a_sidecar_may_name_people(root: Path) -> None:
    image = root / "sub-01/anat/sub-01_T1w.nii.gz"
    assert list(identifiers(image)) == []
    sidecar = {"PatientName": "Doe^Jane", "EchoTime": 0.003, "StationName": " ", "Modality": "MR"}
    image.with_name("sub-01_T1w.json").write_text(json.dumps(sidecar))
    assert list(identifiers(image)) == [("PatientName", "Doe^Jane")]
    image.with_name("sub-01_T1w.json").write_text("[" * 100_000)
    assert list(identifiers(image)) == []


def test_a_bids_tree_is_claimed_once_and_other_nifti_folders_as_before(
    root: Path, tmp_path: Path
) -> None:
    with_bids, without = isolated("nnplug_bids.plugin"), isolated()
    assert claims(root, with_bids) == ["bids"]
    assert claims(root, without) == ["nifti"]
    (root / "dataset_description.json").unlink()
    assert claims(root, with_bids) == ["nifti"]
