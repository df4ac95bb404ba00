"""Which file is a case's label."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom import uid

from nnplug.errors import SourceError
from nnplug.types import Source
from nnplug_dicom.converter import DicomConverter
from nnplug_dicom.options import DicomLabels, DicomOptions

LABELS = {"background": 0, "GTV": 1}
SOP = {"SEG": uid.SegmentationStorage, "RTSTRUCT": uid.RTStructureSetStorage}


@pytest.fixture
def structure(write_series):
    """Write the header of a SEG or an RTSTRUCT."""

    def write(folder, kind, number=50):
        def each(_, data):
            data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = SOP[kind]
            if kind == "RTSTRUCT":
                del data.Rows, data.Columns, data.PixelData

        return write_series(folder, (0,), each=each, Modality=kind, SeriesNumber=number)[0]

    return write


def volume(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.Image(6, 4, 4, sitk.sitkUInt8), path)
    return path


def discover(root, form="auto", **more):
    options = DicomOptions(labels=DicomLabels(format=form))
    return DicomConverter(options).discover(Source(root, {0: "CT"}, LABELS, **more))


def test_structure_sets_of_a_case_are_candidates_together(tmp_path, write_series, structure):
    write_series(tmp_path / "case" / "CT")
    paths = (
        structure(tmp_path / "case" / "a", "RTSTRUCT"),
        structure(tmp_path / "case" / "b", "RTSTRUCT"),
    )
    (case,) = discover(tmp_path)
    assert case.details["structures"] == paths
    assert case.details["labels"] == LABELS
    assert case.label == paths[0]
    assert str(paths[1]) in case.details["files"], "a change of either is a change of the case"


def test_kinds_are_listed_and_chosen(tmp_path, write_series, structure):
    case = tmp_path / "case"
    write_series(case / "CT")
    paths = {
        "seg": structure(case / "labels", "SEG", 51),
        "rtstruct": structure(case / "labels", "RTSTRUCT", 52),
        "volume": volume(case / "labels" / "mask.nii.gz"),
    }
    (found,) = discover(tmp_path)
    problem = found.details["problem"]
    assert "labels of 3 kinds" in problem
    assert "volume (labels/mask.nii.gz); seg (labels/51_000.dcm)" in problem
    assert "converter.labels.format=volume|seg|rtstruct" in problem
    for form, path in paths.items():
        (found,) = discover(tmp_path, form)
        assert found.label == path
        assert found.details["structures"] == (() if form == "volume" else (path,))
    paths["seg"].unlink()
    (found,) = discover(tmp_path, "seg")
    assert "no label of the kind seg; there is: volume" in found.details["problem"]


def test_a_label_that_the_layout_assigns_comes_first(tmp_path, write_series, structure):
    write_series(tmp_path / "images" / "a")
    structure(tmp_path / "images" / "a", "RTSTRUCT")
    path = volume(tmp_path / "labels" / "a.nii.gz")
    (found,) = discover(tmp_path)
    assert found.label == path
    (found,) = discover(tmp_path, "rtstruct")
    assert found.label.parent.name == "a"


@pytest.mark.parametrize("place", ["a", "."])
def test_structures_in_the_labels_folder(tmp_path, write_series, structure, place):
    write_series(tmp_path / "images" / "a")
    path = structure(tmp_path / "labels" / place, "SEG")
    path = path.rename(path.with_name("a.dcm"))
    (found,) = discover(tmp_path)
    assert found.details["structures"] == (path,)


def test_no_label_is_said(tmp_path, write_series, structure):
    write_series(tmp_path / "with" / "CT")
    structure(tmp_path / "with", "SEG")
    write_series(tmp_path / "without" / "CT")
    found, without = discover(tmp_path)
    assert "problem" not in found.details
    assert "there is no label for it" in without.details["problem"]
    assert not any("problem" in c.details for c in discover(tmp_path, unlabelled=True))


def test_other_objects_are_named_where_a_channel_is_missing(tmp_path, write_series, structure):
    write_series(tmp_path / "case" / "MR", Modality="MR", SeriesNumber=3)
    write_series(tmp_path / "case" / "MR", Modality="MR", SeriesNumber=4)
    structure(tmp_path / "case", "SEG")
    (found,) = discover(tmp_path)
    assert "no series fits channel 0 'CT'" in found.details["problem"]
    assert "no images are 1 SEG" in found.details["problem"]


def test_a_damaged_structure_names_its_case(tmp_path, write_series, structure):
    write_series(tmp_path / "case" / "CT")
    structure(tmp_path / "case", "RTSTRUCT")
    (found,) = discover(tmp_path)
    with pytest.raises(SourceError, match="case case, label"):
        DicomConverter().read(found)


def test_an_rtstruct_follows_slices_that_are_resampled(tmp_path, write_series):
    """Contours lie on the original slices; no plane of the regular grid between stays empty."""
    paths = write_series(
        tmp_path / "case", (0, 5, 10, 20), pixels=np.zeros((4, 12, 16), np.int16),
        spacing=(1, 1), FrameOfReferenceUID="1.2.3",
    )  # fmt: skip
    first = pydicom.dcmread(paths[0])
    roi, contours, names = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    roi.ROINumber, roi.ReferencedFrameOfReferenceUID, roi.ROIName = 1, "1.2.3", "GTV"
    contours.ReferencedROINumber, contours.ContourSequence = 1, []
    for z in (0, 5, 10, 20):
        one = pydicom.Dataset()
        one.ContourGeometricType, one.NumberOfContourPoints = "CLOSED_PLANAR", 4
        corners = ((2.5, 3.5), (8.5, 3.5), (8.5, 7.5), (2.5, 7.5))
        one.ContourData = [str(v) for x, y in corners for v in (x, y, z)]
        contours.ContourSequence.append(one)
    names.file_meta = first.file_meta
    names.SOPClassUID = names.file_meta.MediaStorageSOPClassUID = SOP["RTSTRUCT"]
    names.SOPInstanceUID = names.file_meta.MediaStorageSOPInstanceUID = uid.generate_uid()
    names.Modality, names.PatientID = "RTSTRUCT", first.PatientID
    names.SeriesInstanceUID = uid.generate_uid()
    names.StructureSetROISequence, names.ROIContourSequence = [roi], [contours]
    names.save_as(tmp_path / "case" / "rs.dcm", enforce_file_format=True)
    converter = DicomConverter(DicomOptions(geometry="resample"))
    (found,) = converter.discover(Source(tmp_path, {0: "CT"}, LABELS))
    case = converter.read(found)
    assert case.images[0].GetSize() == case.label.GetSize() == (16, 12, 5)
    assert "nearest planes" in case.provenance["label geometry"]
    values = sitk.GetArrayFromImage(case.label)
    expected = np.zeros_like(values)
    expected[:, 4:8, 3:9] = 1
    np.testing.assert_array_equal(values, expected)


def test_sarcoma_with_three_structure_sets(data, same_space):
    """One case has three series and three RTSTRUCTs in folders of their own."""
    options = DicomOptions(labels=DicomLabels(rois={"GTV": ["GTV_Mass_CT"]}))
    converter = DicomConverter(options)
    channels = {0: "CT", 1: "MR_T1", 2: "PET"}
    cases = converter.discover(Source(data / "sts" / "dicom", channels, LABELS))
    assert all(len(c.details["structures"]) == 3 for c in cases)
    case = converter.read(cases[0])
    path = data / "sts" / "nifti" / cases[0].name / "CT_mask.nii.gz"
    ours, reference = same_space(case.label, sitk.ReadImage(path))
    both = np.count_nonzero(ours & (reference > 0))
    assert 2 * both / (np.count_nonzero(ours) + np.count_nonzero(reference)) >= 0.999


def test_options_are_checked():
    with pytest.raises(ValueError, match="threshold is 0"):
        DicomLabels(threshold=0)


@pytest.mark.parametrize("layout", ["beside", "paired"])
def test_a_folder_of_volumes_is_a_mask_a_region(tmp_path, write_series, layout):
    within = tmp_path / ("a" if layout == "beside" else "images/a")
    write_series(within / "CT" if layout == "beside" else within)
    masks = tmp_path / ("a/segmentations" if layout == "beside" else "labels/a")
    (empty,) = discover(tmp_path, unlabelled=True)
    grid = DicomConverter().read(empty).images[0]
    for number, name in enumerate(("gtv", "heart")):
        values = np.zeros(grid.GetSize()[::-1], np.uint8)
        values[number] = 1
        mask = sitk.GetImageFromArray(values)
        mask.CopyInformation(grid)
        masks.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(mask, masks / f"{name}.nii.gz")
    (found,) = discover(tmp_path)
    assert found.label == masks
    label = sitk.GetArrayFromImage(DicomConverter().read(found).label)
    assert label.sum(axis=(1, 2)).tolist() == [label[0].size, *[0] * (len(label) - 1)]


def test_volumes_among_the_images_stay_a_question(tmp_path, write_series):
    write_series(tmp_path / "a")
    for name in ("one", "two"):
        volume(tmp_path / "a" / f"{name}.nii.gz")
    (found,) = discover(tmp_path)
    assert "several volumes could be the label" in found.details["problem"]
