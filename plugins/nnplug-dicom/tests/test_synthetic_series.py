"""Series written for one property each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.types import Source
from nnplug_dicom.converter import DicomConverter


def read(root: Path) -> sitk.Image:
    converter = DicomConverter()
    (case,) = converter.discover(Source(root, {0: "CT"}, unlabelled=True))
    return converter.read(case).images[0]


def rotation(axis, degrees):
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


ORIENTATIONS = {
    "axial": np.eye(3),
    "sagittal": np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], float),
    "coronal": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float),
    "oblique": rotation((1, 2, 3), 37),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_geometry_is_exact(tmp_path, write_series, name):
    axes = ORIENTATIONS[name]
    values = np.arange(5 * 4 * 6, dtype=np.int16).reshape(5, 4, 6)
    positions = np.array([40.0, 10.0, 20.0, 50.0, 30.0])
    write_series(
        tmp_path,
        positions,
        orientation=axes[:, :2].T.ravel(),
        origin=(-12.5, 7.25, 100.0),
        pixels=values,
    )
    image = read(tmp_path)
    assert image.GetSize() == (6, 4, 5)
    assert image.GetSpacing() == pytest.approx((0.5, 0.8, 10.0), abs=1e-6)
    assert image.GetDirection() == pytest.approx(axes.ravel(), abs=1e-9)
    for slice_, along in enumerate(positions):
        place = np.array([-12.5, 7.25, 100.0]) + axes @ (3 * 0.5, 2 * 0.8, along)
        assert image[image.TransformPhysicalPointToIndex(place)] == values[slice_, 2, 3]
        index = image.TransformPhysicalPointToContinuousIndex(place)
        assert index == pytest.approx(np.round(index), abs=1e-6)


def test_positions_with_rounding_noise_are_even(tmp_path, write_series):
    write_series(tmp_path, np.round(np.arange(60) * 0.7 + 0.0333, 3))
    assert read(tmp_path).GetSpacing()[2] == pytest.approx(0.7, abs=1e-4)


@pytest.mark.parametrize(
    ("step", "decimals"), [(0.625, 1), (1.25, 1), (0.625, 2), (2.34375, 1), (0.3125, 2)]
)
@pytest.mark.parametrize("start", [0, -431.23])
def test_positions_written_with_few_decimals_are_even(
    tmp_path, write_series, step, decimals, start
):
    positions = np.round(start + step * np.arange(40), decimals)
    write_series(tmp_path, positions, pixels=np.zeros((40, 4, 6), np.int16))
    image = read(tmp_path)
    assert image.GetSize() == (6, 4, 40)
    assert image.GetSpacing()[2] == pytest.approx(step, abs=10**-decimals / 39)


def test_rounding_does_not_hide_a_missing_slice(tmp_path, write_series, refused):
    positions = np.delete(np.round(0.625 * np.arange(41), 1), 17)
    write_series(tmp_path, positions, pixels=np.zeros((40, 4, 6), np.int16))
    assert "1 slice is missing" in refused(tmp_path)


@pytest.mark.parametrize(
    ("positions", "reason"),
    [
        ((0, 5, 10, 15.2, 20.2), "the distances between slices are uneven, 5.000 to 5.200 mm"),
        (
            (0, 5, 10, 20, 25),
            "1 slice is missing: a gap of 10.000 mm where others are 5.000 mm, the first between",
        ),
        ((0, 5, 20, 25, 30, 40), "3 slices are missing"),
        ((0, 5, 5, 10), "1 positions are repeated, the first at 5.00 mm"),
        (np.cumsum(5 + 0.02 * np.repeat([-1, 1], 12)), "off equal distances"),
        ((0, 0.6, 1.3, 1.9, 2.8, 3.1), "uneven, 0.300 to 0.900 mm"),
        ((0, 1, 2, 4, 5, 6), "1 slice is missing"),
        ((0,), "there is only 1 slice"),
    ],
)
def test_irregular_positions_are_refused(tmp_path, write_series, refused, positions, reason):
    write_series(tmp_path, positions)
    assert reason in refused(tmp_path)


def test_positions_that_wander_are_refused(tmp_path, write_series, refused):
    def wander(number, data):
        data.ImagePositionPatient = [str(number % 2), "0", str(5 * number)]

    write_series(tmp_path, each=wander)
    assert "wander up to 1.00 mm off the normal" in refused(tmp_path)


def test_no_position(tmp_path, write_series, refused):
    def remove(number, data):
        del data.ImagePositionPatient

    write_series(tmp_path, each=remove)
    assert "no ImagePositionPatient" in refused(tmp_path)


def test_cosines_that_are_not_at_right_angles(tmp_path, write_series, refused):
    write_series(tmp_path, orientation=(1, 0, 0, 0.1, 0.99498744, 0))
    assert "no pair of unit vectors at right angles" in refused(tmp_path)


def test_each_slice_has_its_own_slope(tmp_path, write_series):
    def rescale(number, data):
        data.RescaleSlope, data.RescaleIntercept = str(0.25 * (number + 1)), str(-number)

    write_series(tmp_path, pixels=np.full((4, 4, 6), 10, np.uint16), each=rescale)
    values = sitk.GetArrayFromImage(read(tmp_path))
    assert values.dtype == np.float32
    assert values[:, 0, 0].tolist() == [2.5, 4.0, 5.5, 7.0]


@pytest.mark.parametrize(
    ("kind", "low", "high", "intercept", "expected"),
    [
        ("<i2", -2000, 3000, 0, np.int16),
        ("<u2", 0, 4095, -1024, np.int16),
        ("<u2", 0, 60000, 0, np.uint16),
        ("<u2", 0, 60000, -1024, np.int32),
        ("u1", 0, 255, 0, np.uint8),
        ("u1", 0, 255, -1024, np.int16),
        ("i1", -128, 127, 0, np.int16),
        ("<u4", 0, 4_000_000_000, 0, np.uint32),
        ("<i4", -70000, 70000, 5, np.int32),
    ],
)
def test_integers_stay_integers(tmp_path, write_series, kind, low, high, intercept, expected):
    pixels = np.zeros((4, 4, 6), kind)
    pixels[1, 2, 3], pixels[2, 1, 4] = low, high
    write_series(tmp_path, pixels=pixels, RescaleIntercept=str(intercept), RescaleSlope="1")
    values = sitk.GetArrayFromImage(read(tmp_path))
    assert values.dtype == expected
    np.testing.assert_array_equal(values, pixels.astype(np.int64) + intercept)


@pytest.mark.parametrize(("signed", "expected"), [(True, -1), (False, 4095)])
def test_bits_above_bits_stored_are_no_part_of_the_value(tmp_path, write_series, signed, expected):
    pixels = np.full((4, 4, 6), 0x7FFF, np.int16)
    write_series(
        tmp_path, pixels=pixels, BitsStored=12, HighBit=11, PixelRepresentation=int(signed)
    )
    assert (sitk.GetArrayFromImage(read(tmp_path)) == expected).all()


def test_monochrome1_is_not_inverted(tmp_path, write_series):
    pixels = np.arange(4 * 4 * 6, dtype=np.int16).reshape(4, 4, 6)
    write_series(tmp_path, pixels=pixels, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read(tmp_path)), pixels)


def test_a_scout_under_the_same_uid_stays_out(tmp_path, write_series):
    uid = "1.2.826.0.1.3680043.8.498.1"
    write_series(tmp_path, SeriesInstanceUID=uid)
    write_series(
        tmp_path,
        (0,),
        SeriesInstanceUID=uid,
        SeriesNumber=2,
        orientation=(1, 0, 0, 0, 0, -1),
    )
    assert read(tmp_path).GetSize() == (6, 4, 4)


def test_without_series_uid_folders_are_series(tmp_path, write_series):
    write_series(tmp_path / "case" / "one", SeriesInstanceUID="")
    write_series(tmp_path / "case" / "two", SeriesInstanceUID="")
    (case,) = DicomConverter().discover(Source(tmp_path, {0: "CT"}, unlabelled=True))
    assert "2 series fit channel 0 'CT'" in case.details["problem"]


def test_cut_off_pixels_are_refused(tmp_path, write_series, refused):
    last = write_series(tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:-20])
    assert "the file is cut off: 28 of 48 bytes" in refused(tmp_path)


def test_a_slope_of_zero_is_refused(tmp_path, write_series, refused):
    write_series(tmp_path, RescaleSlope="0", RescaleIntercept="0")
    assert "RescaleSlope 0.0" in refused(tmp_path)
