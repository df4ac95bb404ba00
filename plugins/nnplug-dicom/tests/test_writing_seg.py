"""A SEG of a mask: read by pydicom, highdicom and our own converter it is that mask again."""

from __future__ import annotations

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from nnplug.errors import SourceError
from nnplug.types import CaseSource
from nnplug_dicom.writing.options import SegOptions, Terms
from nnplug_dicom.writing.seg import SegWriter

LABELS = {"liver": 1, "vessel": 5, "tumour": 260}
LIVER = ("10200004", "SCT", "Liver")


@pytest.mark.parametrize("positions", [(0, 5, 10, 15), (15, 10, 5, 0)])
@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1)])
def test_a_seg_is_read_as_the_mask(
    write_series, tmp_path, positions, orientation, scan, drawn, read_back
):
    write_series(
        tmp_path / "series" / "case",
        positions,
        orientation=orientation,
        origin=(3, -4, 7),
        FrameOfReferenceUID="1.2.3",
        StudyInstanceUID="1.2.4",
    )
    case, image = scan(tmp_path / "series")
    mask, path = drawn(image), tmp_path / "a.seg.dcm"
    options = SegOptions(terms={"liver": Terms(type=LIVER)}, series_number=77)
    SegWriter(options).write(mask, LABELS, case, 0, path)
    header = pydicom.dcmread(path)
    assert header.Modality == "SEG"
    assert (header.StudyInstanceUID, header.FrameOfReferenceUID) == ("1.2.4", "1.2.3")
    assert (header.PatientID, header.SeriesNumber) == ("P1", 77)
    assert [s.SegmentLabel for s in header.SegmentSequence] == ["liver", "vessel"]
    assert header.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue == LIVER[0]
    source = pydicom.dcmread(case.images[0])
    (series,) = header.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    theirs = highdicom.seg.segread(path).get_volume(combine_segments=True).array
    expected = sitk.GetArrayFromImage(mask)
    np.testing.assert_array_equal(np.unique(theirs), [0, 1, 2])
    assert (theirs > 0).sum() == (expected > 0).sum()
    label = read_back(tmp_path / "series", path, tmp_path / "both")
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(label), np.where(expected == 5, 2, expected)
    )


def test_a_real_series(data, tmp_path, scan, drawn, read_back):
    root = data / "sts" / "dicom" / "STS_002" / "CT" / "image"
    case, image = scan(root)
    SegWriter().write(drawn(image), LABELS, case, 0, tmp_path / "a.seg.dcm")
    label = read_back(root, tmp_path / "a.seg.dcm", tmp_path / "both")
    expected = sitk.GetArrayFromImage(drawn(image))
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(label), np.where(expected == 5, 2, expected)
    )
    assert label.GetOrigin() == pytest.approx(image.GetOrigin())


def test_an_empty_mask_describes_every_label(write_series, tmp_path, scan):
    write_series(
        tmp_path / "series" / "case", FrameOfReferenceUID="1.2.3", StudyInstanceUID="1.2.4"
    )
    case, image = scan(tmp_path / "series")
    SegWriter().write(image * 0, LABELS, case, 0, tmp_path / "a.seg.dcm")
    header = pydicom.dcmread(tmp_path / "a.seg.dcm")
    assert [s.SegmentLabel for s in header.SegmentSequence] == list(LABELS)
    assert not header.pixel_array.any()


def test_what_is_no_series_is_refused(tmp_path):
    mask = sitk.Image(2, 2, 2, sitk.sitkUInt8)
    with pytest.raises(SourceError, match="this case has none"):
        SegWriter().write(mask, LABELS, CaseSource("a", ()), 0, tmp_path / "a.seg.dcm")
    assert not list(tmp_path.iterdir())


def test_a_mask_elsewhere_is_refused(write_series, tmp_path, scan, drawn):
    write_series(tmp_path / "series" / "case")
    case, image = scan(tmp_path / "series")
    for change in ("origin", "size"):
        mask = drawn(image)
        if change == "origin":
            mask.SetOrigin((0.3, 0, 0))
        else:
            mask = mask[:, :, 1:]
        with pytest.raises(SourceError, match="not on the grid"):
            SegWriter().write(mask, LABELS, case, 0, tmp_path / "a.seg.dcm")


def test_slices_that_lack_what_a_seg_repeats_are_refused(write_series, tmp_path, scan, drawn):
    write_series(tmp_path / "series" / "case")
    case, image = scan(tmp_path / "series")
    with pytest.raises(SourceError, match="no StudyInstanceUID, FrameOfReferenceUID"):
        SegWriter().write(drawn(image), LABELS, case, 0, tmp_path / "a.seg.dcm")


def test_a_series_number_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        SegOptions(series_number=0)


def test_a_multi_frame_file(multi_frame, tmp_path, scan, drawn):
    """Frames in another order than along the normal; highdicom says where the SEG's lie."""
    case, image = scan(multi_frame((6, 0, 9, 3)))
    mask = drawn(image)
    SegWriter().write(mask, LABELS, case, 0, tmp_path / "a.seg.dcm")
    volume = highdicom.seg.segread(tmp_path / "a.seg.dcm").get_volume(combine_segments=True)
    for number, value in ((1, 1), (2, 5)):
        places = volume.map_indices_to_reference(np.argwhere(volume.array == number))
        voxels = np.argwhere(sitk.GetArrayViewFromImage(mask) == value)[:, ::-1]
        wanted = [mask.TransformIndexToPhysicalPoint(voxel.tolist()) for voxel in voxels]
        assert len(wanted) > 0
        assert {tuple(p) for p in np.round(places, 3)} == {tuple(p) for p in np.round(wanted, 3)}
