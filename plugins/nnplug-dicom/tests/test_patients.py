"""Cases by patient, by study, or by folder."""

from __future__ import annotations

import pydicom
import pytest
import SimpleITK as sitk

from nnplug.types import Source
from nnplug_dicom.cases.index import read_tree
from nnplug_dicom.converter import DicomConverter
from nnplug_dicom.options import DicomOptions


def discover(root, cases="auto", channels=None, **more):
    options = DicomOptions(cases=cases)
    return DicomConverter(options).discover(
        Source(root, channels or {0: "CT"}, **{"unlabelled": True, **more})
    )


@pytest.fixture
def exam(write_series):
    """Write a series of a patient's study."""

    def write(folder, patient, study, modality="CT", number=1):
        return write_series(
            folder,
            PatientID=patient,
            StudyInstanceUID=study,
            Modality=modality,
            SeriesNumber=number,
        )

    return write


def test_a_patient_with_a_folder_is_called_like_it(tmp_path, exam):
    exam(tmp_path / "one" / "CT", "ID-1", "1.1")
    exam(tmp_path / "one" / "later" / "PET", "ID-1", "1.2", "PT")
    exam(tmp_path / "two" / "CT", "ID-2", "2.1")
    exam(tmp_path / "two" / "PET", "ID-2", "2.1", "PT")
    cases = discover(tmp_path, "patient", {0: "CT", 1: "PET"})
    assert [(c.name, c.subject) for c in cases] == [("one", "ID-1"), ("two", "ID-2")]
    assert [path.parent.name for path in cases[0].images] == ["CT", "PET"]


def test_patients_that_share_a_folder_are_called_by_their_id(tmp_path, exam):
    for patient, number in (("B", 1), ("A", 2)):
        exam(tmp_path / "all", patient, f"1.{number}", number=number)
    cases = discover(tmp_path, "patient")
    assert [(c.name, len(c.details["files"])) for c in cases] == [("A", 3), ("B", 3)]
    assert not any("problem" in c.details for c in cases)


def test_folders_of_equal_names_are_told_apart(tmp_path, exam):
    for site in ("x", "y"):
        exam(tmp_path / site / "p1", f"{site}1", "1.1")
        exam(tmp_path / site / "p2", f"{site}2", "1.2")
    names = [c.name for c in discover(tmp_path, "patient")]
    assert names == ["x_p1", "x_p2", "y_p1", "y_p2"]


def test_studies_are_numbered_by_their_uids(tmp_path, exam):
    exam(tmp_path, "P", "1.9", number=1)
    exam(tmp_path, "P", "1.10", number=2)
    exam(tmp_path / "Q" / "visit", "Q", "3.1")
    cases = discover(tmp_path, "study")
    assert [(c.name, c.subject) for c in cases] == [("P_1", "P"), ("P_2", "P"), ("Q", "Q")]
    number = pydicom.dcmread(cases[0].images[0]).StudyInstanceUID
    assert number == "1.10", "text order, whatever the dates"


@pytest.mark.parametrize("direct", [True, False])
def test_several_patients_in_one_case_are_refused(tmp_path, exam, direct):
    folder = tmp_path if direct else tmp_path / "mixed"
    exam(folder, "A", "1.1", number=1)
    exam(folder, "B", "1.2", number=2)
    (case,) = discover(tmp_path)
    assert "images of 2 patients" in case.details["problem"]
    assert "converter.cases=patient" in case.details["problem"]
    assert len(discover(tmp_path, "patient")) == 2
    (case,) = discover(tmp_path, "folder")
    assert "2 series fit" in case.details["problem"]


def test_images_without_an_id_are_refused_by_name(tmp_path, exam):
    exam(tmp_path / "a", "A", "1.1")
    exam(tmp_path / "b", "", "1.2")
    a, b = discover(tmp_path, "patient")
    assert (a.name, b.name) == ("a", "b")
    assert "have no PatientID" in b.details["problem"]
    assert not any("problem" in c.details for c in discover(tmp_path, "study"))


def test_series_folders_of_one_exam_are_one_case(tmp_path, exam):
    exam(tmp_path / "CT", "P", "1.1")
    exam(tmp_path / "PET", "P", "1.1", "PT")
    (case,) = discover(tmp_path, channels={0: "PET", 1: "CT"})
    assert case.name == tmp_path.name
    assert [path.parent.name for path in case.images] == ["PET", "CT"]
    assert len(discover(tmp_path, "folder")) == 2


def test_one_folder_of_series_is_called_like_it(tmp_path, exam):
    exam(tmp_path / "p" / "CT", "P", "1.1")
    exam(tmp_path / "p" / "PET", "P", "1.1", "PT")
    (case,) = discover(tmp_path)
    assert case.name == "p"


def test_a_damaged_file_refuses_the_patients_near_it_only(tmp_path, exam):
    exam(tmp_path / "a" / "CT", "A", "1.1")
    exam(tmp_path / "b" / "CT", "B", "1.2")
    (tmp_path / "a" / "broken.dcm").write_bytes(b"")
    a, b = discover(tmp_path, "patient")
    assert "broken.dcm" in a.details["problem"]
    assert "problem" not in b.details


def test_label_volumes_by_folder_or_name(tmp_path, exam):
    label = sitk.Image(6, 4, 4, sitk.sitkUInt8)
    exam(tmp_path / "own", "A", "1.1")
    sitk.WriteImage(label, tmp_path / "own" / "anything.nii.gz")
    for patient, number in (("B", 1), ("C", 2)):
        exam(tmp_path / "shared", patient, f"2.{number}", number=number)
        sitk.WriteImage(label, tmp_path / "shared" / f"{patient}.nii.gz")
    cases = discover(tmp_path, "patient", unlabelled=False)
    assert [c.label.name for c in cases] == ["B.nii.gz", "C.nii.gz", "anything.nii.gz"]


def test_the_content_of_a_case_is_its_own_files(tmp_path, exam):
    """What is hashed is what is read: neither other series nor other patients."""
    exam(tmp_path / "p" / "CT", "P", "1.1")
    exam(tmp_path / "p" / "MR", "P", "1.1", "MR")
    (case,) = discover(tmp_path)
    files = {str(case.images[0]), *case.details["files"]}
    assert files == {str(path) for path in (tmp_path / "p" / "CT").iterdir()}


def test_an_index_finds_what_lies_below_a_folder(tmp_path, exam):
    for name in ("a", "a-b", "a/deeper", "ab", "b"):
        exam(tmp_path / name, "P", "1.1")
    found = {e.path.parent for e in read_tree(tmp_path).below(tmp_path / "a")}
    assert found == {tmp_path / "a", tmp_path / "a" / "deeper"}
