"""Segmentations that highdicom writes, of every type, on the image's grid and on others."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from nnplug.errors import SourceError
from nnplug_dicom.labels.draw import ImageReference, draw_label, names
from nnplug_dicom.options import DicomLabels
from nnplug_dicom.volumes.lattice import Lattice

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import highdicom
    from highdicom.seg import Segmentation, SegmentDescription

OBLIQUE = sitk.VersorTransform((0.6, 0.0, 0.8), 0.7).GetMatrix()
STRAIGHT = sitk.VersorTransform().GetMatrix()
SHAPE = (6, 13, 11)
TWO = {"background": 0, "one": 1, "two": 2}

WriteSeg = Callable[..., Path]


def image(direction: Any = OBLIQUE, shape: tuple[int, ...] = SHAPE) -> sitk.Image:
    grid = sitk.Image(*shape[::-1], sitk.sitkUInt8)
    grid.SetSpacing((0.7, 0.9, 2.5))
    grid.SetOrigin((-40.0, 12.5, 700.25))
    grid.SetDirection(direction)
    return grid


def with_values(grid: sitk.Image, values: np.ndarray) -> sitk.Image:
    filled = sitk.GetImageFromArray(values.astype(np.uint8))
    filled.CopyInformation(grid)
    return filled


def blobs(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Two segments (the last axis) that overlap, absent from the first and the last slice."""
    drawn = np.random.default_rng(seed).random((*shape, 2)) < 0.4
    drawn[[0, -1]] = False
    return drawn


@pytest.fixture
def write_seg(tmp_path: Path) -> WriteSeg:
    """Write segments (z, y, x, segment) drawn on a grid with highdicom."""

    def write(grid: sitk.Image, segments: np.ndarray, kind: str = "BINARY", **tags: Any) -> Path:
        frame, study, series = (generate_uid() for _ in range(3))
        slices = []
        direction = np.array(grid.GetDirection()).reshape(3, 3)
        for k in range(grid.GetSize()[2]):
            data = pydicom.Dataset()
            data.file_meta = pydicom.dataset.FileMetaDataset()
            data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
            data.SOPClassUID = pydicom.uid.CTImageStorage
            data.SOPInstanceUID = generate_uid()
            data.SeriesInstanceUID, data.StudyInstanceUID = series, study
            data.FrameOfReferenceUID, data.Modality = frame, "CT"
            data.PatientID = data.PatientName = data.PatientBirthDate = data.PatientSex = ""
            data.StudyID = data.StudyDate = data.StudyTime = data.AccessionNumber = ""
            data.ReferringPhysicianName = ""
            data.Rows, data.Columns = grid.GetSize()[1::-1]
            data.ImagePositionPatient = [
                f"{v:.10g}" for v in grid.TransformIndexToPhysicalPoint((0, 0, k))
            ]
            data.ImageOrientationPatient = [f"{v:.12g}" for v in direction[:, :2].T.ravel()]
            data.PixelSpacing = [str(v) for v in grid.GetSpacing()[1::-1]]
            data.SliceThickness = str(grid.GetSpacing()[2])
            slices.append(data)
        described = [
            SegmentDescription(
                number,
                name,
                codes.SCT.Tissue,
                codes.SCT.Liver,
                highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
            )
            for number, name in enumerate(TWO, 0)
            if number
        ][: segments.shape[-1] if segments.ndim == 4 else 2]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seg = Segmentation(
                source_images=slices,
                pixel_array=segments,
                segmentation_type=kind,
                segment_descriptions=described,
                series_instance_uid=generate_uid(),
                series_number=2,
                sop_instance_uid=generate_uid(),
                instance_number=1,
                manufacturer="x",
                manufacturer_model_name="x",
                software_versions="1",
                device_serial_number="1",
                **tags,
            )
            path = tmp_path / "seg.dcm"
            seg.save_as(path)
        return path

    return write


def change(path: Path, edit: Callable[[pydicom.Dataset], None]) -> Path:
    data = pydicom.dcmread(path)
    edit(data)
    data.save_as(path)
    return path


def read(path: Path, grid: sitk.Image, **options: Any) -> tuple[np.ndarray, dict[str, str]]:
    return draw_label([path], Lattice.of(grid), ImageReference(), TWO, DicomLabels(**options))


def one_over_two(drawn: np.ndarray) -> np.ndarray:
    return np.where(drawn[..., 0], 1, np.where(drawn[..., 1], 2, 0))


@pytest.mark.parametrize("direction", [STRAIGHT, OBLIQUE])
@pytest.mark.parametrize("omit", [True, False])
@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_overlapping_segments(write_seg, direction, omit, kind):
    grid, drawn = image(direction), blobs()
    values = drawn.astype(float) if kind == "FRACTIONAL" else drawn
    path = write_seg(grid, values, kind, omit_empty_frames=omit)
    assert names(path) == ["one", "two"]
    label, notes = read(path, grid, priority=["one", "two"])
    np.testing.assert_array_equal(label, one_over_two(drawn))
    assert notes["overlap one over two"] == f"{np.count_nonzero(drawn.all(axis=-1))} voxels"
    with pytest.raises(SourceError, match="'one' and 'two' overlap"):
        read(path, grid)


@pytest.mark.parametrize("scale", ["PROBABILITY", "OCCUPANCY"])
@pytest.mark.parametrize("threshold", [0.2, 0.5, 1.0])
def test_a_threshold_is_a_part_of_the_maximum(write_seg, scale, threshold):
    grid = image()
    parts = np.round(np.random.default_rng(0).random((*SHAPE, 1)) * 200) / 200
    path = write_seg(grid, parts, "FRACTIONAL", fractional_type=scale, max_fractional_value=200)
    label, notes = read(path, grid, threshold=threshold, optional=["two"])
    np.testing.assert_array_equal(label, parts[..., 0] >= threshold)
    assert notes["label one"].endswith(f"fractional; from {threshold:g} of the maximum on")


@pytest.mark.parametrize(
    ("syntax", "encoder"),
    [(pydicom.uid.RLELossless, "pydicom"), (pydicom.uid.JPEGLSLossless, "pyjpegls")],
)
@pytest.mark.parametrize("kind", ["FRACTIONAL", "LABELMAP"])
def test_compressed_frames(write_seg, kind, syntax, encoder):
    grid, drawn = image(), blobs()
    drawn[..., 1] &= ~drawn[..., 0]
    path = write_seg(grid, drawn.astype(float) if kind == "FRACTIONAL" else drawn, kind)
    change(path, lambda data: data.compress(syntax, encoding_plugin=encoder))
    label, _ = read(path, grid)
    np.testing.assert_array_equal(label, one_over_two(drawn))


@pytest.mark.parametrize("omit", [True, False])
def test_label_maps_with_a_palette(write_seg, omit):
    grid, drawn = image(), blobs()
    drawn[..., 1] &= ~drawn[..., 0]
    palette = highdicom.PaletteColorLUTTransformation.from_colors(["black", "red", "blue"])
    path = write_seg(
        grid, drawn, "LABELMAP", omit_empty_frames=omit, palette_color_lut_transformation=palette
    )
    label, _ = read(path, grid)
    np.testing.assert_array_equal(label, one_over_two(drawn))


def test_frames_may_come_in_any_order(write_seg):
    grid, drawn = image(), blobs()

    def reverse(data: pydicom.Dataset) -> None:
        bits = data.pixel_array[::-1]
        data.PixelData = pydicom.pixels.pack_bits(bits)
        data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[::-1]

    path = change(write_seg(grid, drawn), reverse)
    label, _ = read(path, grid, priority=["one"])
    np.testing.assert_array_equal(label, one_over_two(drawn))


def test_measures_and_orientation_of_each_frame(write_seg):
    grid, drawn = image(), blobs()

    def unshare(data: pydicom.Dataset) -> None:
        shared = data.SharedFunctionalGroupsSequence[0]
        for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
            for group in data.PerFrameFunctionalGroupsSequence:
                setattr(group, keyword, shared[keyword].value)
            delattr(shared, keyword)

    label, _ = read(change(write_seg(grid, drawn), unshare), grid, priority=["one"])
    np.testing.assert_array_equal(label, one_over_two(drawn))


@pytest.mark.parametrize("axes", ["PIR", "LAS", "ASR", "SLP"])
def test_an_image_with_other_axes_gets_the_same_voxels(write_seg, axes):
    grid, drawn = image(), blobs()
    path = write_seg(grid, drawn)
    turned = sitk.DICOMOrient(with_values(grid, one_over_two(drawn)), axes)
    label, notes = read(path, turned, priority=["one"])
    np.testing.assert_array_equal(label, sitk.GetArrayFromImage(turned))
    assert notes["label one"].endswith("matched by position alone")


def test_an_image_that_is_a_part_of_the_segmented_one(write_seg):
    grid, drawn = image(), blobs()
    path = write_seg(grid, drawn)
    part = with_values(grid, one_over_two(drawn))[3:9, 2:, 1:4]
    label, notes = read(path, part, priority=["one"])
    np.testing.assert_array_equal(label, sitk.GetArrayFromImage(part))
    lost = drawn[..., 0].sum() - (label == 1).sum()
    assert notes["label one"].endswith(f"voxels outside the image, cut off: {lost}")


def test_slices_that_are_no_regular_image_get_their_own_frames(write_seg):
    grid, drawn = image(), blobs()[..., :1]
    axes = np.array(OBLIQUE).reshape(3, 3)
    places = np.array([grid.TransformIndexToPhysicalPoint((0, 0, k)) for k in range(SHAPE[0])])
    shifts = np.array([(0.0, 0.0), (0.2, 0.4), (0.4, 3.0), (0.6, 3.1), (0.8, 9.0), (1.0, 9.5)])
    places = places + shifts @ axes[:, 1:].T

    def move(data: pydicom.Dataset) -> None:
        for group in data.PerFrameFunctionalGroupsSequence:
            item = group.PlanePositionSequence[0]
            (x, y, z), *_ = [item.ImagePositionPatient]
            k = round(grid.TransformPhysicalPointToContinuousIndex((x, y, z))[2])
            item.ImagePositionPatient = [f"{v:.10g}" for v in places[k]]

    path = change(write_seg(grid, drawn), move)
    lattice = Lattice.of_slices(places, axes, grid.GetSpacing()[:2], SHAPE[::-1])
    options = DicomLabels(optional=["two"])
    values, notes = draw_label([path], lattice, ImageReference(), TWO, options)
    np.testing.assert_array_equal(values, drawn[..., 0])
    assert notes["label one"].endswith("matched by position alone")


@pytest.mark.parametrize("declared", [True, False])
def test_an_image_on_another_grid_takes_the_nearest_voxels(write_seg, declared):
    grid = image(STRAIGHT)
    drawn = np.ones((*SHAPE, 1), bool)
    drawn[2:4, 5:9, 3:7] = False
    path = write_seg(grid, drawn)

    def edit(data: pydicom.Dataset) -> None:
        measures = data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        if declared:
            measures.SpacingBetweenSlices = "2.5"
        elif "SpacingBetweenSlices" in measures:
            del measures.SpacingBetweenSlices

    change(path, edit)
    other = sitk.Image(25, 30, 20, sitk.sitkUInt8)
    other.SetSpacing((0.41, 0.37, 0.83))
    other.SetOrigin((-41.03, 11.71, 698.01))
    other.SetDirection(sitk.VersorTransform((0, 0, 1), 0.1).GetMatrix())
    expected = sitk.Resample(
        with_values(grid, drawn[..., 0]), other, sitk.Transform(), sitk.sitkNearestNeighbor
    )
    label, notes = read(path, other, optional=["two"])
    np.testing.assert_array_equal(label, sitk.GetArrayFromImage(expected))
    assert notes["label one"].endswith("its grid is not the image's; nearest voxels were taken")


def test_thick_segmented_slices_fill_the_thin_ones_of_the_image(write_seg):
    """Every second slice of the image was segmented, and the SEG says that they are as far."""
    thick = image(STRAIGHT, (3, 13, 11))
    drawn = np.random.default_rng(0).random((3, 13, 11, 1)) < 0.5
    path = write_seg(thick, drawn, omit_empty_frames=False)

    def declare(data: pydicom.Dataset) -> None:
        measures = data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        measures.SpacingBetweenSlices = "2.5"

    thin = image(STRAIGHT, (6, 13, 11))
    thin.SetSpacing((0.7, 0.9, 1.25))
    label, _ = read(change(path, declare), thin, optional=["two"])
    # Halfway between two planes, the upper one counts; below the first its half still does.
    np.testing.assert_array_equal(label[::2], drawn[..., 0])
    np.testing.assert_array_equal(label[1:5:2], drawn[1:, ..., 0])


def test_absent_frames_stay_empty_where_only_their_distance_is_unknown(write_seg):
    grid = image()
    drawn = np.zeros((*SHAPE, 1), bool)
    drawn[[1, 3, 5]] = True

    def forget(data: pydicom.Dataset) -> None:
        measures = data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        if "SpacingBetweenSlices" in measures:
            del measures.SpacingBetweenSlices

    label, _ = read(change(write_seg(grid, drawn), forget), grid, optional=["two"])
    np.testing.assert_array_equal(label, drawn[..., 0])


def repeat_a_place(data: pydicom.Dataset) -> None:
    groups = data.PerFrameFunctionalGroupsSequence
    groups[1].PlanePositionSequence = groups[0].PlanePositionSequence


def lose_a_frame(data: pydicom.Dataset) -> None:
    data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[:-1]


def lose_pixels(data: pydicom.Dataset) -> None:
    data.PixelData = data.PixelData[:10]


def claim_more_pixels(data: pydicom.Dataset) -> None:
    data.Rows = data.Columns = 65535


def skew(data: pydicom.Dataset) -> None:
    shared = data.SharedFunctionalGroupsSequence[0]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0.5, 0.5, 0]


def turn_a_frame(data: pydicom.Dataset) -> None:
    shared = data.SharedFunctionalGroupsSequence[0]
    group = data.PerFrameFunctionalGroupsSequence[2]
    item = pydicom.Dataset()
    item.ImageOrientationPatient = [0, 1, 0, 0, 0, 1]
    group.PlaneOrientationSequence = [item]
    assert shared.PlaneOrientationSequence


def forget_the_spacing(data: pydicom.Dataset) -> None:
    del data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing


def number_twice(data: pydicom.Dataset) -> None:
    data.SegmentSequence[1].SegmentNumber = 1


def change_the_type(data: pydicom.Dataset) -> None:
    data.SegmentationType = "SURFACE"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (repeat_a_place, "two frames of one segment lie in one plane"),
        (lose_a_frame, "the header places 7 of its 8 frames"),
        (lose_pixels, "the file is damaged"),
        (claim_more_pixels, "the header claims frames of 65535 x 65535 pixels"),
        (skew, "can't be right"),
        (turn_a_frame, "differ in orientation"),
        (forget_the_spacing, "PixelSpacing has not 2 values"),
        (number_twice, "two of its segments have one SegmentNumber"),
        (change_the_type, "SegmentationType SURFACE"),
    ],
)
def test_damage_is_refused(write_seg, damage, reason):
    grid = image()
    path = change(write_seg(grid, blobs()), damage)
    with pytest.raises(SourceError, match=reason) as caught:
        read(path, grid, priority=["one"])
    assert str(caught.value.where).startswith("seg.dcm")


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_random_damage_is_an_error_or_does_no_harm(write_seg, kind):
    grid, drawn = image(), blobs()[..., :1]
    path = write_seg(grid, drawn.astype(float) if kind == "FRACTIONAL" else drawn, kind)
    whole = path.read_bytes()
    for seed in range(60):
        random = np.random.default_rng(seed)
        damaged = np.frombuffer(whole[: random.integers(200, 2 * len(whole))], np.uint8).copy()
        damaged[random.integers(0, len(damaged), 5)] = random.integers(0, 256, 5)
        path.write_bytes(damaged.tobytes())
        with contextlib.suppress(SourceError):
            read(path, grid, optional=["two"])
