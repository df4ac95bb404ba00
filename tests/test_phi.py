"""Identifying values of a source are found wherever they were written, and are not printed."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from nnplug.catalog import Catalog
from nnplug.config.settings import Check, DataSettings
from nnplug.data import phi
from nnplug.errors import ConfigError
from nnplug.formats.identifiers import identifiers
from nnplug.stages import check, convert

UID = "1.2.826.0.1.3680043.8.498.45787841905188114249328"
PAIRS = [
    ("PatientName", "Müller^Anna-Lena^^Dr."),
    ("PatientID", "HX4711"),
    ("StudyInstanceUID", UID),
    ("StudyDate", "20061013"),
    ("PatientSex", "F"),
    ("aux_file", "none"),
    ("spacing", "1 1 1"),
]


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("Patient: MÜLLER".lower().encode(), {"PatientName"}),
        (json.dumps({"name": "Müller"}).encode(), {"PatientName"}),
        (b"anna-lena was here", {"PatientName"}),
        (pickle.dumps({"origin": "scan_HX4711.nii"}), {"PatientID"}),
        (b"/data/hx4711/ct", {"PatientID"}),
        (f"{UID}.nii.gz".encode(), {"StudyInstanceUID"}),
        (b'{"date": "20061013"}', {"StudyDate"}),
        # Neither other numbers that contain one, nor words that anybody may write.
        (f"{UID}7 120061013x aHX47112 F none 1 1 1".encode(), {"StudyDate"}),
        (b"nothing of the kind", set()),
    ],
)
def test_values_are_found_in_bytes(content: bytes, fields: set[str]) -> None:
    assert set(phi.fields_in(content, phi.terms(PAIRS))) == fields


def test_the_tasks_own_identifiers_are_no_secret() -> None:
    wanted = phi.terms([("case name", "STS_001"), ("case name", "Meier")], allowed=["STS_001"])
    assert phi.fields_in(b"STS_001 Meier", wanted) == {"case name": "m... of 5 characters"}


def nifti(path: Path, text: str, extension: str = "") -> None:
    image = nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.eye(4))
    image.header["descrip"] = text
    if extension:
        image.header.extensions.append(
            nibabel.nifti1.Nifti1Extension("comment", extension.encode())
        )
    nibabel.save(image, path)


def test_texts_of_a_nifti_header_are_read(tmp_path: Path) -> None:
    nifti(tmp_path / "a.nii.gz", "Doe, Jane", "scanned at St. Elsewhere")
    assert list(identifiers(tmp_path / "a.nii.gz")) == [
        ("descrip", "Doe, Jane"),
        ("extension", "scanned at St. Elsewhere"),
    ]
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(b"short"))
    assert list(identifiers(tmp_path / "b.nii.gz")) == []


Make = Callable[..., DataSettings]


@pytest.fixture
def converted(
    cohort: Callable[..., Path], settings: Make, core_catalog: Catalog, toy_task: Path
) -> Callable[[], dict[str, set[str]]]:
    """Level and file names of the findings after a conversion of a source that names patients."""
    source = cohort("p1", "p2")
    for name in ("p1", "p2"):
        path = source / "images" / f"{name}.nii.gz"
        image = nibabel.load(path)
        image.header["descrip"] = "Doe, Jane 7 HX4711"
        nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), None, image.header), path)
    chosen = replace(settings(source), check=Check(phi=True))
    convert.run(chosen, core_catalog)

    def find() -> dict[str, set[str]]:
        report = check.run(chosen, core_catalog)
        assert not any("Jane" in problem.text for problem in report.problems)
        found: dict[str, set[str]] = {}
        for problem in report.problems:
            if problem.kind == "phi":
                found.setdefault(problem.level, set()).add(Path(problem.file).name)
        return found

    return find


def test_what_nnplug_writes_holds_nothing(converted: Callable[[], Any]) -> None:
    assert "error" not in converted()


def test_what_others_wrote_is_found(converted: Callable[[], Any], toy_task: Path) -> None:
    text = "Doe, Jane 7 HX4711"
    models = toy_task.parents[2] / "nnUNet_trained_models" / "nnUNet" / "3d_fullres"
    log = models / toy_task.name / "trainer__plans" / "fold_0" / "training_log.txt"
    log.parent.mkdir(parents=True)
    log.write_text(f"loading {text}\n")
    plans = toy_task.parents[2] / "nnUNet_preprocessed" / toy_task.name / "case.pkl"
    plans.parent.mkdir(parents=True)
    plans.write_bytes(pickle.dumps({"who": text}))
    (toy_task / "qc").mkdir(exist_ok=True)
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", text, zip=True)
    Image.new("L", (4, 4)).save(toy_task / "qc" / "own.png", pnginfo=info)
    (toy_task / f"{text}.txt").touch()
    nifti(toy_task / "imagesTs" / "own_0000.nii.gz", text)
    assert converted()["error"] >= {
        "training_log.txt",
        "case.pkl",
        "own.png",
        f"{text}.txt",
        "own_0000.nii.gz",
    }


def test_a_real_dicom_task_holds_nothing_until_somebody_writes_it(
    command: Callable[..., tuple[int, str, str]], shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("nnplug_dicom")
    source = tmp_path / "source"
    for patient in sorted(shared_data("sts/dicom").iterdir())[:2]:
        (source / patient.name).mkdir(parents=True)
        (source / patient.name / "PET").symlink_to(patient / "PET")
    arguments = ("dataset.name=Lump", "dataset.task_id=300", f"dataset.source={source}")
    arguments += ("dataset.channels={0:PET}", "dataset.labels={background:0,GTV_Mass_PET:1}")
    assert command("convert", *arguments, "workers=1")[0] == 0
    code, out, _ = command("check", *arguments, "--phi", "--json", "workers=1")
    assert (code, json.loads(out)["errors"]) == (0, 0)

    dataset = pydicom.dcmread(next(source.glob("*/PET/image/*.dcm")), stop_before_pixels=True)
    log = tmp_path / "nnplug_data/nnUNet_preprocessed/Task300_Lump/log.txt"
    log.parent.mkdir(parents=True)
    log.write_text(f"reading {dataset.SeriesInstanceUID}\n")
    code, out, _ = command("check", *arguments, "--phi", "--json", "workers=1")
    assert code == 5
    (problem,) = (p for p in json.loads(out)["problems"] if p["level"] == "error")
    assert (problem["kind"], problem["file"]) == ("phi", str(log))
    assert "SeriesInstanceUID" in problem["text"]
    assert dataset.SeriesInstanceUID not in out


def test_without_a_source_it_asks_for_one(
    settings: Make, core_catalog: Catalog, toy_task: Path, save: Any
) -> None:
    save(toy_task / "imagesTr" / "a_0000.nii.gz", np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    (toy_task / "dataset.json").write_text("{}")
    with pytest.raises(ConfigError, match="which values") as caught:
        check.run(replace(settings(None), check=Check(phi=True)), core_catalog)
    assert "dataset.source" in str(caught.value.hint)
