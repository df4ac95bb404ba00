"""Real series against reference volumes that others made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.errors import SourceError
from nnplug.types import Source
from nnplug_dicom.converter import DicomConverter
from nnplug_dicom.options import DicomOptions

CHANNELS = {0: "CT", 1: "MR_T1", 2: "PET"}


def only(root: Path, options: DicomOptions | None = None):
    converter = DicomConverter(options)
    (case,) = converter.discover(Source(root, {0: "image"}, unlabelled=True))
    return converter.read(case).images[0]


def test_sarcoma_series_equal_the_reference(data, same_space):
    converter = DicomConverter()
    cases = converter.discover(Source(data / "sts" / "dicom", CHANNELS, unlabelled=True))
    assert [c.name for c in cases] == [f"STS_{n:03d}" for n in (2, 8, 19, 24, 25, 32, 41, 42)]
    for found in cases:
        assert found.subject == found.name
        case = converter.read(found)
        for channel, image in zip(CHANNELS.values(), case.images, strict=True):
            path = data / "sts" / "nifti" / found.name / f"{channel}_image.nii.gz"
            ours, reference = same_space(image, sitk.ReadImage(path))
            if channel == "PET":
                assert ours.dtype == np.float32
                scale = np.abs(reference).max()
                assert np.abs(ours - reference).max() <= 1e-5 * scale
            else:
                assert ours.dtype == np.int16
                assert np.abs(ours - reference).max() == 0
        assert not case.images[0].GetMetaDataKeys()
        assert found.name not in str(case.provenance)


@pytest.mark.parametrize(
    "folder",
    [
        "anatomical/001",
        "anatomical/001_implicit",
        "compressed/001",
        "compressed_j2k/001",
        "compressed_jpeg/001",
        "compressed_jpegls/001",
        "compressed_rle/001",
    ],
)
def test_stored_integers_equal_the_ground_truth(data, same_space, folder):
    root = data / "dicom_generic" / folder
    truth = sitk.ReadImage(root.with_name(f"{root.name}_ground_truth.nii.gz"))
    ours, reference = same_space(only(root), truth)
    np.testing.assert_array_equal(ours, reference)


def test_slopes_that_vary_by_slice_and_unequal_pixel_sides(data, same_space):
    root = data / "dicom_generic" / "anatomical" / "002_non_isotropic"
    image = only(root)
    truth = sitk.ReadImage(root.with_name(f"{root.name}_ground_truth.nii.gz"))
    ours, reference = same_space(image, truth)
    assert np.abs(ours / reference - 1).max() < 1e-6
    assert image.GetSpacing() == pytest.approx((6.39995861, 4.0, 0.5))


def test_headers_without_series_uid_or_sop_class(data, same_space):
    root = data / "totalsegmentator"
    image = only(root / "example_ct_dicom")
    assert image.GetSize() == (512, 512, 20)
    # The label was stored with y from back to front; the place of every voxel is the same.
    label = sitk.ReadImage(root / "example_seg_dicom.nii.gz")
    hu, labels = same_space(image, label)
    assert hu.min() >= -1024
    assert hu.max() < 3072
    assert hu[labels > 0].mean() > hu[labels == 0].mean() + 200


def test_oblique_series(data):
    image = only(data / "dicom_rtstruct" / "rt_utils" / "oriented_data")
    axes = np.array(image.GetDirection()).reshape(3, 3)
    assert axes[:, 0] == pytest.approx((0.9541666, -0.2080757, 0.2151061), abs=1e-6)
    assert axes.T @ axes == pytest.approx(np.eye(3), abs=1e-12)
    assert image.GetSpacing() == pytest.approx((2.5, 3.5, 4.5), abs=1e-5)


@pytest.mark.parametrize(
    ("folder", "reasons"),
    [
        ("ct_gantry_tilt_uneven_spacing", ["18.50 degrees", "uneven, 1.081 to 6.999 mm"]),
        ("gantrytilting", ["14.00 degrees (gantry tilt)"]),
        ("notavolume", ["all 4 lie at one position"]),
        ("sliceincrement/001", ["1 slice is missing", "10.000 mm where others are 5.000 mm"]),
        ("sliceincrement/002", ["15.50 degrees", "1 slice is missing", "IM-0001-0005.dcm"]),
        ("sliceorientation", ["mixes 2 orientations under one SeriesInstanceUID"]),
    ],
)
def test_awkward_series_are_refused_each_for_its_reason(data, refused, folder, reasons):
    message = refused(data / "dicom_awkward" / folder)
    for reason in reasons:
        assert reason in message


def test_two_regular_slices_are_a_volume(data, same_space):
    root = data / "dicom_awkward" / "slicecount" / "001"
    truth = sitk.ReadImage(root.with_name("001_ground_truth.nii.gz"))
    ours, reference = same_space(only(root), truth)
    np.testing.assert_array_equal(ours, reference)


def test_two_slices_are_refused_where_three_are_asked_for(data):
    root = data / "dicom_awkward" / "slicecount" / "001"
    with pytest.raises(SourceError, match="only 2 slices"):
        only(root, DicomOptions(min_slices=3))


def test_colour_is_refused(data, refused):
    assert "colour images are not read: RGB" in refused(data / "dicom_generic" / "rgb" / "001")
