"""Identifying values are taken from every depth of a DICOM file."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from nnplug_dicom.identifiers import identifiers


def write(path: Path) -> dict[str, str]:
    """A file with identifying values; returns the UIDs in it by keyword."""
    uids = {name: str(generate_uid()) for name in ("StudyInstanceUID", "FrameOfReferenceUID")}
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = CTImageStorage
    dataset.PatientName = "Doe^Jane"
    dataset.PatientID = "HX4711"
    dataset.PatientBirthDate = "19700401"
    dataset.OtherPatientIDs = "A-17"
    dataset.InstitutionName = "St. Elsewhere"
    dataset.DeviceSerialNumber = ""
    dataset.SliceThickness = "2.5"
    dataset.Modality = "CT"
    for name, value in uids.items():
        setattr(dataset, name, value)
    inner = Dataset()
    inner.ReferringPhysicianName = "Who^Dr."
    dataset.RequestAttributesSequence = [inner]
    private = dataset.private_block(0x0099, "ACME", create=True)
    private.add_new(0x01, "PN", "Hidden^Name")
    dataset.save_as(path, enforce_file_format=True)
    return uids


def test_every_depth_is_read(tmp_path: Path) -> None:
    uids = write(tmp_path / "a.dcm")
    assert set(identifiers(tmp_path / "a.dcm")) == {
        ("PatientName", "Doe^Jane"),
        ("PatientID", "HX4711"),
        ("PatientBirthDate", "19700401"),
        ("OtherPatientIDs", "A-17"),
        ("InstitutionName", "St. Elsewhere"),
        ("ReferringPhysicianName", "Who^Dr."),
        ("(0099,1001)", "Hidden^Name"),
        *uids.items(),
    }


def test_other_and_damaged_files_give_nothing(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("PatientName Doe^Jane")
    assert list(identifiers(tmp_path / "readme.txt")) == []
    write(tmp_path / "a.dcm")
    whole = (tmp_path / "a.dcm").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "cut.dcm").write_bytes(whole[:length])
        list(identifiers(tmp_path / "cut.dcm"))


def test_a_real_file_gives_up_all_its_uids(data: Path) -> None:
    path = next(path for path in sorted((data / "sts" / "dicom").rglob("*.dcm")))
    found = dict(identifiers(path))
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert found[keyword] == str(dataset[keyword].value)
    assert "SOPClassUID" not in found
