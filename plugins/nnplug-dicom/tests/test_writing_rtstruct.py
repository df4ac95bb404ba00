"""An RTSTRUCT of a mask: our own reader makes that mask of it again, and so does scikit-image."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter
from skimage.measure import points_in_poly

from nnplug.errors import SourceError
from nnplug.types import CaseSource
from nnplug_dicom.labels.draw import names
from nnplug_dicom.writing.options import RtstructOptions
from nnplug_dicom.writing.rtstruct import RtstructWriter

LABELS = {"liver": 1, "vessel": 5, "tumour": 260}
UIDS = {"FrameOfReferenceUID": "1.2.3", "StudyInstanceUID": "1.2.4"}


def blobs(image, sigma=1.2):
    """A mask with the values 1 and 5 in parts with holes, some only a voxel, none at the ends."""
    noise = np.random.default_rng(0).normal(size=image.GetSize()[::-1])
    smooth = gaussian_filter(noise, sigma)
    low, high = np.quantile(smooth, (0.35, 0.65))
    values = np.where(smooth < low, 1, np.where(smooth > high, 5, 0)).astype(np.uint16)
    values[0] = values[-1] = 0
    mask = sitk.GetImageFromArray(values)
    mask.CopyInformation(image)
    return mask


def enclosed(path, mask):
    """What lies within the contours by points and polygons in the patient alone."""
    data = pydicom.dcmread(path)
    found = np.zeros(mask.GetSize()[::-1], np.uint16)
    y, x = np.indices(found.shape[1:])
    centres = np.stack([x.ravel() + 0.01, y.ravel() + 0.013], axis=1)
    for roi in data.ROIContourSequence:
        for contour in roi.ContourSequence:
            points = np.reshape(contour.ContourData, (-1, 3)).astype(float)
            assert len(points) == contour.NumberOfContourPoints
            index = np.array([mask.TransformPhysicalPointToContinuousIndex(p) for p in points])
            (plane,) = set(np.rint(index[:, 2]).astype(int))
            inside = points_in_poly(centres, index[:, :2]).reshape(found.shape[1:])
            assert not found[plane][inside].any()
            found[plane][inside] = roi.ReferencedROINumber
    return found


@pytest.mark.parametrize("positions", [(0, 5, 10, 15, 20), (20, 15, 10, 5, 0)])
@pytest.mark.parametrize(
    "orientation",
    [(1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), (0.8, 0.6, 0, -0.36, 0.48, 0.8)],
)
def test_it_is_read_as_the_mask(write_series, tmp_path, positions, orientation, scan, read_back):
    paths = write_series(
        tmp_path / "series" / "case",
        positions,
        orientation=orientation,
        origin=(-103.1234, -4, 7),
        pixels=np.zeros((5, 40, 30), np.int16),
        **UIDS,
    )
    case, image = scan(tmp_path / "series")
    mask, path = blobs(image), tmp_path / "a.rtstruct.dcm"
    RtstructWriter(RtstructOptions({"liver": (1, 2, 3)}, 77)).write(mask, LABELS, case, 0, path)
    assert names(path) == ["liver", "vessel"]
    expected = sitk.GetArrayFromImage(mask)
    expected[expected == 5] = 2
    np.testing.assert_array_equal(enclosed(path, mask), expected)
    label = read_back(tmp_path / "series", path, tmp_path / "both")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(label), expected)
    data = pydicom.dcmread(path)
    assert (data.Modality, data.SeriesNumber, data.PatientID) == ("RTSTRUCT", 77, "P1")
    assert (data.StudyInstanceUID, data.FrameOfReferenceUID) == ("1.2.4", "1.2.3")
    assert list(data.ROIContourSequence[0].ROIDisplayColor) == [1, 2, 3]
    (frame,) = data.ReferencedFrameOfReferenceSequence
    (series,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    sources = {str(one.SOPInstanceUID): one for one in map(pydicom.dcmread, paths)}
    assert series.SeriesInstanceUID == next(iter(sources.values())).SeriesInstanceUID
    assert {r.ReferencedSOPInstanceUID for r in series.ContourImageSequence} == set(sources)
    normal = np.cross(orientation[:3], orientation[3:])
    for roi in data.ROIContourSequence:
        for contour in roi.ContourSequence:
            (reference,) = contour.ContourImageSequence
            place = sources[reference.ReferencedSOPInstanceUID].ImagePositionPatient
            points = np.reshape(contour.ContourData, (-1, 3)).astype(float)
            assert np.abs((points - np.array(place, float)) @ normal).max() < 1e-3


def test_a_real_series(data, tmp_path, scan, read_back):
    root = data / "sts" / "dicom" / "STS_002" / "CT" / "image"
    case, image = scan(root)
    mask = sitk.Mask(
        blobs(image, 4), image > float(np.quantile(sitk.GetArrayViewFromImage(image), 0.9))
    )
    RtstructWriter().write(mask, LABELS, case, 0, tmp_path / "a.dcm")
    label = read_back(root, tmp_path / "a.dcm", tmp_path / "both")
    expected = sitk.GetArrayFromImage(mask)
    assert (expected == 1).sum() > 1000
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(label), np.where(expected == 5, 2, expected)
    )


def test_a_multi_frame_file(multi_frame, tmp_path, scan):
    root = multi_frame((6, 0, 9, 3))
    case, image = scan(root)
    mask, path = blobs(image), tmp_path / "a.rtstruct.dcm"
    RtstructWriter().write(mask, LABELS, case, 0, path)
    expected = sitk.GetArrayFromImage(mask)
    np.testing.assert_array_equal(enclosed(path, mask), np.where(expected == 5, 2, expected))
    (file,) = root.rglob("*.dcm")
    source, written = pydicom.dcmread(file), pydicom.dcmread(path)
    for contour in written.ROIContourSequence[0].ContourSequence:
        (reference,) = contour.ContourImageSequence
        assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
        frame = source.PerFrameFunctionalGroupsSequence[reference.ReferencedFrameNumber - 1]
        height = frame.PlanePositionSequence[0].ImagePositionPatient[2]
        assert contour.ContourData[2] == pytest.approx(height)


def test_an_empty_mask_names_every_label(write_series, tmp_path, scan):
    write_series(tmp_path / "series" / "case", **UIDS, PatientName="Müller^Änne")
    case, image = scan(tmp_path / "series")
    RtstructWriter().write(image * 0, LABELS | {"Löß": 7}, case, 0, tmp_path / "a.dcm")
    data = pydicom.dcmread(tmp_path / "a.dcm")
    assert [roi.ROIName for roi in data.StructureSetROISequence] == [*LABELS, "Löß"]
    assert not any("ContourSequence" in roi for roi in data.ROIContourSequence)


def test_what_can_not_be_referred_to_is_refused(write_series, tmp_path, scan, drawn):
    path = tmp_path / "a.dcm"
    with pytest.raises(SourceError, match="this case has none"):
        RtstructWriter().write(sitk.Image(2, 2, 2, 1), LABELS, CaseSource("a", ()), 0, path)
    write_series(tmp_path / "series" / "case")
    case, image = scan(tmp_path / "series")
    with pytest.raises(SourceError, match="no StudyInstanceUID, FrameOfReferenceUID"):
        RtstructWriter().write(drawn(image), LABELS, case, 0, path)
    assert not path.exists()
    with pytest.raises(ValueError, match="at least 1"):
        RtstructOptions(series_number=0)
    with pytest.raises(ValueError, match="0 to 255"):
        RtstructOptions({"liver": (0, 0, 256)})
