"""What ``nnplug scan`` lists, and that what it suggests can be converted."""

from __future__ import annotations

import pytest
import SimpleITK as sitk

from nnplug.config.build import build
from nnplug.errors import SourceError
from nnplug.types import Source
from nnplug_dicom.converter import DicomConverter
from nnplug_dicom.options import DicomOptions
from nnplug_dicom.survey import survey


def convertible(root, found):
    """The cases that the survey's suggestions lead to."""
    options = build(DicomOptions, found.options)
    source = Source(root, found.channels, found.labels, unlabelled=found.unlabelled)
    return DicomConverter(options).discover(source)


def test_sarcoma(data):
    root = data / "sts" / "dicom"
    found = survey(root)
    assert found.channels == {0: "CT", 1: "MR", 2: "PET"}
    assert found.labels == {"background": 0, "GTV_Mass_CT": 1}
    assert found.options == {"labels": {"format": "rtstruct"}}
    assert not found.unlabelled
    series = [f for f in found.found if f.kind != "RTSTRUCT"]
    assert len(series) == len(found.found) - len(series) == 24
    first = series[0]
    assert (first.path, first.kind, first.subject) == ("STS_002/CT/image", "CT", "STS_002")
    assert (first.count, first.size[2], first.use, first.problem) == (48, 48, ("CT",), "")
    assert first.spacing == pytest.approx((0.976562, 0.976562, 3.27))
    assert {f.use for f in found.found} == {("CT",), ("MR",), ("PET",), ("label",)}
    cases = convertible(root, found)
    assert len(cases) == 8
    assert not any("problem" in c.details for c in cases)


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("ct_gantry_tilt_uneven_spacing", "18.50 degrees"),
        ("notavolume", "all 4 lie at one position"),
        ("sliceincrement/001", "1 slice is missing"),
    ],
)
def test_what_is_refused_says_why(data, folder, reason):
    found = survey(data / "dicom_awkward" / folder)
    (series,) = (f for f in found.found if f.kind == "CT")
    assert reason in series.problem
    assert not series.use


def test_everything_is_listed(tmp_path, write_series, data):
    case = tmp_path / "case"
    write_series(case / "CT", SeriesDescription="Thorax", StudyInstanceUID="1.2.345678901")
    write_series(case / "scout", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SeriesNumber=2)
    write_series(case / "report", (0,), Modality="SR", SeriesNumber=3)
    (case / "LICENSE").write_text("free")
    (case / "cut.dcm").write_bytes(b"\0" * 128 + b"DICM\x02\0")
    (case / "mask.nrrd").write_bytes(b"no NRRD")
    found = {f.path: f for f in survey(tmp_path).found}
    assert found["case/CT"].study == "45678901"
    assert found["case/CT"].description == "Thorax"
    assert found["case/CT"].use == ("CT",)
    assert "localizer" in found["case/scout"].problem
    assert found["case/report/3_000.dcm"].problem == "neither image nor label"
    assert "cut.dcm" in found["case/cut.dcm"].problem
    assert found["case/mask.nrrd"].problem
    assert len(found) == 5


def test_series_of_one_modality_are_told_apart(tmp_path, write_series):
    for name in ("a", "b"):
        for number, text in enumerate(("T1 [post]", "T2 tse", "FLAIR"), 1):
            write_series(
                tmp_path / name / f"{name}{number}",
                Modality="MR",
                SeriesDescription=text,
                PatientID=name,
            )
    found = survey(tmp_path)
    assert list(found.channels.values()) == ["MR_FLAIR", "MR_T1_post", "MR_T2_tse"]
    assert found.options["channels"]["MR_T2_tse"] == {"modality": "MR", "description": "T2 tse"}
    assert found.unlabelled
    assert not any("problem" in c.details for c in convertible(tmp_path, found))


def test_one_series_a_case_needs_no_rule(tmp_path, write_series):
    for name in ("a", "b"):
        write_series(tmp_path / name, Modality="OT", PatientID=name)
    found = survey(tmp_path)
    assert (found.channels, found.options) == ({0: "OT"}, {})
    assert not any("problem" in c.details for c in convertible(tmp_path, found))


def test_b_values_become_channels(tmp_path, write_series):
    def b_value(number, data):
        data.DiffusionBValue = float(1000 * (number // 2))

    for name in ("a", "b"):
        write_series(tmp_path / name, (0, 5, 0, 5), Modality="MR", PatientID=name, each=b_value)
    found = survey(tmp_path)
    assert list(found.channels.values()) == ["MR_b_0", "MR_b_1000"]
    assert not any("problem" in c.details for c in convertible(tmp_path, found))


def test_patients_in_one_folder(tmp_path, write_series):
    for number, name in enumerate(("a", "b")):
        write_series(tmp_path / "all", PatientID=name, SeriesNumber=number)
    found = survey(tmp_path)
    assert found.options == {"cases": "patient"}
    assert [c.name for c in convertible(tmp_path, found)] == ["a", "b"]


def test_a_kind_of_label_is_suggested_where_there_are_several(tmp_path, write_series):
    for name in ("a", "b"):
        write_series(tmp_path / name / "CT", PatientID=name)
        write_series(tmp_path / name / "seg", (0,), Modality="SEG", PatientID=name)
    sitk.WriteImage(sitk.Image(6, 4, 4, sitk.sitkUInt8), tmp_path / "a" / "mask.nii.gz")
    found = survey(tmp_path)
    assert found.options == {"labels": {"format": "seg"}}
    (mask,) = (f for f in found.found if f.kind == "volume")
    assert (mask.size, mask.use) == ((6, 4, 4), ("label",))


def test_no_such_folder(tmp_path):
    with pytest.raises(SourceError, match="no such folder"):
        survey(tmp_path / "absent")
