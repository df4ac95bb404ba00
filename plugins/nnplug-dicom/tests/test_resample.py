"""Tilted, uneven and incomplete stacks on a regular grid, without the place of anything moving."""

from __future__ import annotations

from functools import partial

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from nnplug.errors import SourceError
from nnplug.types import Source
from nnplug_dicom.converter import DicomConverter
from nnplug_dicom.options import DicomOptions
from nnplug_dicom.volumes import resample

SPACING = 1.5, 1.2  # between rows, between columns
CENTRE, RADIUS = np.array([14.0, 21.0, 33.0]), 9.0
AXIAL = np.eye(3)
UNEVEN = (0, 3, 6, 8.5, 12, 15, 18, 21, 27, 30, 34, 36, 39, 42, 45, 48, 51, 54, 57, 60)
OBLIQUE = np.linalg.qr(np.array([[-1, 0.2, -0.3], [0.1, -1, 0.4], [0.3, -0.1, -1]]))[0].round(9)


def places(axes, start, shape=(30, 32)) -> np.ndarray:
    """The patient coordinates of every pixel of a slice, (rows, columns, 3)."""
    rows, columns = np.indices(shape)
    return (
        np.asarray(start)
        + (columns * SPACING[1])[..., None] * axes[:, 0]
        + (rows * SPACING[0])[..., None] * axes[:, 1]
    )


def ball(axes, starts) -> np.ndarray:
    """A ball with a soft rim, painted by patient coordinates; (slices, rows, columns)."""
    distance = np.stack([np.linalg.norm(places(axes, s) - CENTRE, axis=-1) for s in starts])
    return (1000 * np.clip(RADIUS + 1 - distance, 0, 1)).astype(np.int16)


def voxels_off(image: sitk.Image) -> float:
    """How far the weighted centre of an image lies from that of the ball, in voxels."""
    weights = sitk.GetArrayFromImage(image).astype(float)
    weights -= weights.min()
    mean = [float((weights * i).sum() / weights.sum()) for i in np.indices(weights.shape)]
    expected = image.TransformPhysicalPointToContinuousIndex(CENTRE)
    return float(np.abs(np.subtract(mean[::-1], expected)).max())


@pytest.fixture
def read(volume_of):
    return partial(volume_of, geometry="resample")


@pytest.fixture
def tilted(tmp_path, write_series):
    """Write a stack whose slices are shifted against each other; returns files and starts."""

    def write(axes=AXIAL, degrees=18.5, along=UNEVEN, folder="."):
        drift = np.tan(np.radians(degrees)) * axes[:, 1]
        first = CENTRE - axes @ (18, 26, 33) - drift * 6
        starts = [first + z * axes[:, 2] + z * drift for z in along]

        def move(number, data):
            data.ImagePositionPatient = [f"{v:.6f}" for v in starts[number]]

        paths = write_series(
            tmp_path / folder,
            [0.0] * len(along),
            pixels=ball(axes, starts),
            orientation=axes[:, :2].T.ravel(),
            spacing=SPACING,
            each=move,
        )
        return paths, starts

    return write


@pytest.mark.parametrize("axes", [AXIAL, OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("degrees", [0, 18.5, -12])
def test_a_ball_stays_where_it_is(tilted, axes, degrees, read):
    paths, _ = tilted(axes, degrees)
    volume = read(paths)
    image = volume.image
    axes_of_image = np.array(image.GetDirection()).reshape(3, 3)
    assert axes_of_image.T @ axes_of_image == pytest.approx(np.eye(3), abs=1e-9)
    assert image.GetSpacing() == pytest.approx((1.2, 1.5, 3.0), abs=1e-6)
    assert voxels_off(image) < 0.2
    assert "uneven" in volume.notes["geometry"]
    assert ("18.50 degrees" in volume.notes["geometry"]) == (degrees == 18.5)
    assert not any(p.name in str(volume.notes) for p in paths)


def test_the_label_goes_where_the_image_goes(tilted, read):
    paths, starts = tilted()
    volume = read(paths)
    drawn = (ball(np.eye(3), starts) > 500).astype(np.uint8) * 3
    label = sitk.GetImageFromArray(drawn)  # as a tool writes it that believes in one spacing
    label.SetSpacing((1.2, 1.5, 60 / 19))
    label.SetOrigin(starts[0])
    moved = volume.label_onto(label)
    assert (moved.GetSize(), moved.GetOrigin()) == (
        volume.image.GetSize(),
        volume.image.GetOrigin(),
    )
    assert set(np.unique(sitk.GetArrayFromImage(moved))) == {0, 3}
    assert voxels_off(moved) < 0.3
    truth = sitk.GetArrayFromImage(volume.image) > 500
    mask = sitk.GetArrayFromImage(moved) > 0
    assert 2 * (truth & mask).sum() / (truth.sum() + mask.sum()) > 0.93
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(volume.place(drawn)), sitk.GetArrayFromImage(moved)
    )
    assert volume.lattice.positions == pytest.approx(np.array(starts), abs=1e-6)
    flipped = sitk.Flip(sitk.PermuteAxes(label, (1, 2, 0)), (True, False, True))
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(volume.label_onto(flipped)), sitk.GetArrayFromImage(moved)
    )


def test_a_label_on_another_grid_is_left_alone(tilted, read):
    paths, _ = tilted()
    volume = read(paths)
    label = sitk.Image(volume.image) > 500
    assert volume.label_onto(label) is label
    elsewhere = sitk.GetImageFromArray(np.zeros((20, 30, 32), np.uint8))
    elsewhere.SetSpacing((1.2, 1.5, 3))
    assert volume.label_onto(elsewhere) is elsewhere
    straight = read(tilted(along=range(0, 60, 3), degrees=0)[0])
    assert straight.label_onto(label) is label


def test_a_label_that_fits_both_grids_is_refused(tilted, read):
    paths, starts = tilted(degrees=0, along=(0, 3, 7))
    volume = read(paths)
    label = sitk.GetImageFromArray(np.zeros((3, 30, 32), np.uint8))
    label.SetSpacing((1.2, 1.5, 3.5))
    label.SetOrigin(starts[0])
    with pytest.raises(SourceError, match="the label fits the slices as they are"):
        volume.label_onto(label)


def test_a_missing_slice_is_the_mean_of_its_neighbours(tmp_path, write_series, read):
    pixels = np.arange(4 * 4 * 6, dtype=np.int16).reshape(4, 4, 6) * 2
    image = read(write_series(tmp_path, (0, 5, 15, 20), pixels=pixels)).image
    assert image.GetSpacing()[2] == 5
    values = sitk.GetArrayFromImage(image)
    np.testing.assert_array_equal(values[[0, 1, 3, 4]], pixels)
    np.testing.assert_array_equal(values[2], (pixels[1] + pixels[2]) // 2)


def test_outside_is_padding_if_there_is_any(tmp_path, write_series, read):
    def tilt(number, data):
        data.ImagePositionPatient = ["0", f"{1.6 * number:.1f}", str(5 * number)]

    pixels = np.full((4, 4, 6), 100, np.int16)
    pixels[0, 0, 0], pixels[1, 1, 1] = -50, -2000
    tags = {"RescaleIntercept": "-1024", "RescaleSlope": "1", "each": tilt, "pixels": pixels}
    plain = read(write_series(tmp_path / "plain", **tags))
    assert sitk.GetArrayFromImage(plain.image)[-1, 0, 0] == -3024
    padded = read(write_series(tmp_path / "padded", PixelPaddingValue=-50, **tags))
    assert sitk.GetArrayFromImage(padded.image)[-1, 0, 0] == -1074
    assert "-1074" in padded.notes["padding"]
    assert padded.image.GetSize() == (6, 10, 4)


def test_copies_are_left_out_and_other_repeats_refused(tmp_path, write_series, read):
    pixels = np.arange(4 * 4 * 6, dtype=np.int16).reshape(4, 4, 6)
    doubled = write_series(tmp_path / "a", (0, 5, 10, 10), pixels=pixels[[0, 1, 2, 2]])
    volume = read(doubled)
    assert volume.notes["copies"].endswith(": 1")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(volume.image), pixels[:3])
    with pytest.raises(SourceError, match="1 positions are repeated"):
        read(doubled, geometry="error")
    with pytest.raises(SourceError, match="1 positions are repeated"):
        read(write_series(tmp_path / "b", (0, 5, 10, 10), pixels=pixels))


def test_a_grid_out_of_proportion_is_refused(tmp_path, write_series, monkeypatch, read):
    monkeypatch.setattr(resample, "MOST_VOXELS", 1000)
    pixels = np.zeros((5, 4, 6), np.int16)
    with pytest.raises(SourceError, match=r"6 x 4 x 1001 voxels, 200\.2 times as many"):
        read(write_series(tmp_path, (0, 0.5, 1, 1.5, 500), pixels=pixels))
    with pytest.raises(SourceError, match=r"times as many"):
        read(write_series(tmp_path, (0, 1, 2, 3, 1e15), pixels=pixels))


def test_a_tilted_ct_equals_interpolation_by_its_vectors(data, read):
    folder = data / "dicom_awkward" / "ct_gantry_tilt_uneven_spacing"
    paths = sorted(folder.glob("*.dcm"))
    image = read(paths).image
    slices = sorted((pydicom.dcmread(p) for p in paths), key=lambda d: d.ImagePositionPatient[2])
    row, column = np.split(np.array(slices[0].ImageOrientationPatient, float), 2)
    normal = np.cross(row, column)
    dy, dx = (float(v) for v in slices[0].PixelSpacing)
    starts = np.array([d.ImagePositionPatient for d in slices], float)
    heights = starts @ normal
    planes = [sitk.GetImageFromArray(d.pixel_array.astype(np.float64)) for d in slices]
    rescaled = [(float(d.RescaleSlope), float(d.RescaleIntercept)) for d in slices]

    def value(number, place):
        offset = place - starts[number]
        index = offset @ row / dx, offset @ column / dy
        if not all(0 <= i <= n - 1 for i, n in zip(index, planes[number].GetSize(), strict=True)):
            return None
        slope, intercept = rescaled[number]
        return slope * planes[number].EvaluateAtContinuousIndex(index) + intercept

    generator, compared = np.random.default_rng(3), 0
    for _ in range(2000):
        index = [int(generator.integers(n)) for n in image.GetSize()]
        place = np.array(image.TransformIndexToPhysicalPoint(index))
        height = place @ normal
        below = int(np.clip(np.searchsorted(heights, height) - 1, 0, len(heights) - 2))
        part = (height - heights[below]) / (heights[below + 1] - heights[below])
        ends = value(below, place), value(below + 1, place)
        if None not in ends:
            compared += 1
            assert image[index] == pytest.approx((1 - part) * ends[0] + part * ends[1], abs=0.6)
    assert compared > 1000


def test_the_converter_moves_image_and_label_together(tmp_path, tilted):
    _, starts = tilted(folder="case")
    label = sitk.GetImageFromArray((ball(AXIAL, starts) > 500).astype(np.uint8))
    label.SetSpacing((1.2, 1.5, 3))
    label.SetOrigin(starts[0])
    sitk.WriteImage(label, tmp_path / "case" / "label.nii.gz")
    converter = DicomConverter(DicomOptions(geometry="resample"))
    (found,) = converter.discover(Source(tmp_path, {0: "CT"}))
    case = converter.read(found)
    assert case.label.GetOrigin() == case.images[0].GetOrigin()
    inside = sitk.GetArrayFromImage(case.images[0]) > 500
    mask = sitk.GetArrayFromImage(case.label) > 0
    assert 2 * (inside & mask).sum() / (inside.sum() + mask.sum()) > 0.93
    assert "18.50 degrees" in str(case.provenance)
    assert "3 mm" in str(case.provenance)
