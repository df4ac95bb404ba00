"""Structure sets drawn on images: synthetic ones, whose masks are known."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset

from nnplug.errors import SourceError
from nnplug.types import Source
from nnplug_dicom.converter import DicomConverter
from nnplug_dicom.labels.draw import ImageReference, draw_label, names
from nnplug_dicom.options import DicomLabels, DicomOptions
from nnplug_dicom.volumes.lattice import Lattice

FRAME, SERIES, INSTANCE = "1.2.3", "1.2.4", "1.2.5"
THIS = ImageReference(SERIES, FRAME, frozenset({INSTANCE}))
GTV = {"background": 0, "GTV": 1}

Contour = tuple[str, Any]
WriteStructures = Callable[..., Path]


@pytest.fixture
def write_structures(tmp_path: Path) -> WriteStructures:
    """Write an RTSTRUCT; ``rois`` maps names to contours in mm, or (type, contour)."""

    def write(
        rois: dict[str, Sequence[Any]],
        *,
        name: str = "RS.dcm",
        frame: str = FRAME,
        series: str = SERIES,
        instance: str = INSTANCE,
        each: Callable[[Dataset], None] = lambda contour: None,
    ) -> Path:
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        data.Modality = "RTSTRUCT"
        image, of_series, of_study, reference = Dataset(), Dataset(), Dataset(), Dataset()
        image.ReferencedSOPInstanceUID = instance
        of_series.SeriesInstanceUID = series
        of_series.ContourImageSequence = [image]
        of_study.RTReferencedSeriesSequence = [of_series]
        reference.FrameOfReferenceUID = frame
        reference.RTReferencedStudySequence = [of_study]
        data.ReferencedFrameOfReferenceSequence = [reference]
        data.StructureSetROISequence, data.ROIContourSequence = [], []
        for number, (roi_name, contours) in enumerate(rois.items(), 1):
            roi, drawn = Dataset(), Dataset()
            roi.ROINumber, roi.ROIName = number, roi_name
            roi.ReferencedFrameOfReferenceUID = frame
            drawn.ReferencedROINumber, drawn.ContourSequence = number, []
            for given in contours:
                kind, points = given if isinstance(given, tuple) else ("CLOSED_PLANAR", given)
                contour = Dataset()
                contour.ContourGeometricType = kind
                contour.NumberOfContourPoints = len(points)
                contour.ContourData = [f"{v:.10g}" for v in np.ravel(points)]
                each(contour)
                drawn.ContourSequence.append(contour)
            data.StructureSetROISequence.append(roi)
            data.ROIContourSequence.append(drawn)
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        data.save_as(path, enforce_file_format=True)
        return path

    return write


def image(
    size: Sequence[int] = (24, 20, 8), spacing: Sequence[float] = (2.0, 2.0, 3.0)
) -> sitk.Image:
    """An oblique grid."""
    grid = sitk.Image(*size, sitk.sitkInt16)
    grid.SetSpacing(spacing)
    grid.SetOrigin((-40.0, 12.5, 700.25))
    turn = sitk.VersorTransform((0.6, 0.0, 0.8), 0.7)
    grid.SetDirection(turn.GetMatrix())
    return grid


def box(
    grid: sitk.Image, k: float, low: tuple[float, float], high: tuple[float, float]
) -> list[tuple[float, ...]]:
    """A rectangle in slice ``k`` from ``low`` to ``high`` (x, y in voxels), in mm."""
    corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
    return [grid.TransformContinuousIndexToPhysicalPoint((x, y, k)) for x, y in corners]


def read(path: Path, grid: sitk.Image, **options: Any) -> tuple[np.ndarray, dict[str, str]]:
    return draw_label([path], Lattice.of(grid), THIS, GTV, DicomLabels(**options))


def test_boxes_and_holes_on_an_oblique_grid(write_structures):
    grid = image()
    path = write_structures(
        {
            "other": [],
            "GTV": [
                box(grid, 2, (3.5, 4.5), (13.5, 12.5)),
                box(grid, 2, (5.5, 6.5), (9.5, 8.5)),
                box(grid, 3, (3.5, 4.5), (13.5, 12.5)),
                box(grid, 3, (15.5, 4.5), (20.5, 6.5)),
            ],
        }
    )
    expected = np.zeros((8, 20, 24), np.uint8)
    expected[2:4, 5:13, 4:14] = 1
    expected[2, 7:9, 6:10] = 0
    expected[3, 5:7, 16:21] = 1
    mask, notes = read(path, grid)
    np.testing.assert_array_equal(mask, expected)
    assert notes == {"label GTV": "drawn on this series"}
    assert names(path) == ["other", "GTV"]


def test_slices_that_are_no_regular_image_are_drawn_on_as_they_are(write_structures):
    """Tilted and uneven: each slice begins elsewhere, and no two distances are equal."""
    axes = np.array(sitk.VersorTransform((1.0, 0.0, 0.0), 0.3).GetMatrix()).reshape(3, 3)
    positions = np.array([(1.0, 2.0 - 0.3 * z, z) for z in (0, 1.1, 3.2, 8.0, 9.0)])
    low, high = np.array([3.5, 4.5]), np.array([13.5, 12.5])
    contours, expected = [], np.zeros((5, 20, 24), np.uint8)
    for k in (0, 1, 2, 4):
        corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
        corners[:, 1] += k
        contours.append(positions[k] + (corners * (0.7, 0.9)) @ axes[:, :2].T)
        expected[k, 5 + k : 13 + k, 4:14] = 1
    path = write_structures({"GTV": contours})
    lattice = Lattice.of_slices(positions, axes, (0.7, 0.9), (24, 20, 5))
    values, notes = draw_label([path], lattice, THIS, GTV, DicomLabels())
    np.testing.assert_array_equal(values, expected)
    assert notes == {"label GTV": "drawn on this series; slices between contours, left empty: 1"}


def test_a_ball_drawn_on_tilted_uneven_slices_stays_where_it_is_in_the_patient(
    data, tmp_path, write_structures
):
    folder = tmp_path / "case"
    shutil.copytree(data / "dicom_awkward" / "ct_gantry_tilt_uneven_spacing", folder)
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in folder.rglob("*.dcm")]
    first = headers[0]
    axes = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    positions = np.array([header.ImagePositionPatient for header in headers], float)
    half = np.array([first.Columns, first.Rows]) / 2 * np.array(first.PixelSpacing, float)[::-1]
    centre, radius = np.median(positions, axis=0) + half @ axes, 45.0
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    contours = []
    for position in positions:
        height = (position - centre) @ np.cross(*axes)
        if abs(height) < radius:
            across = np.sqrt(radius**2 - height**2)
            circle = across * np.array([np.cos(turn), np.sin(turn)]).T @ axes
            contours.append(centre + height * np.cross(*axes) + circle)
    path = write_structures(
        {"GTV": contours},
        frame=first.get("FrameOfReferenceUID", ""),
        series=first.SeriesInstanceUID,
        instance=first.SOPInstanceUID,
    )
    shutil.move(path, folder)
    converter = DicomConverter(DicomOptions(geometry="resample"))
    (found,) = converter.discover(Source(tmp_path, {0: "CT"}, GTV))
    case = converter.read(found)
    assert case.label.GetOrigin() == case.images[0].GetOrigin()
    label = case.label[::4, ::4, :]
    z, y, x = np.indices(label.GetSize()[::-1])
    steps = np.array(label.GetDirection()).reshape(3, 3) * label.GetSpacing()
    places = np.stack([x, y, z], axis=-1) @ steps.T + label.GetOrigin()
    inside = np.linalg.norm(places - centre, axis=-1) <= radius
    drawn = sitk.GetArrayFromImage(label) == 1
    assert np.abs(places[drawn].mean(axis=0) - centre).max() < 1.5
    assert 2 * np.count_nonzero(drawn & inside) / (drawn.sum() + inside.sum()) > 0.95


def test_contours_between_slices_go_to_the_nearest(write_structures):
    grid = image()
    at = [1.4, 2.45, 2.6, 4.3]
    path = write_structures({"GTV": [box(grid, k, (3.5, 3.5), (8.5, 8.5 + k)) for k in at]})
    mask, notes = read(path, grid)
    rows = [int(plane.any(axis=1).sum()) for plane in mask]
    # 2.6 is nearer to slice 3 than to 2; slice 5 and beyond have none.
    assert rows == [0, 6, 7, 8, 9, 0, 0, 0]
    assert "contours between slices, drawn on the nearest: 4" in notes["label GTV"]


def test_of_several_planes_a_slice_takes_the_nearest_and_says_so(write_structures):
    grid = image()
    at = [1.7, 2.1, 2.4, 3.0]
    path = write_structures({"GTV": [box(grid, k, (3.5, 3.5), (8.5, 8.5 + k)) for k in at]})
    mask, notes = read(path, grid)
    assert [int(plane.any(axis=1).sum()) for plane in mask] == [0, 0, 7, 8, 0, 0, 0, 0]
    assert "contours between slices, left out because others are nearer: 2" in notes["label GTV"]


def test_coordinates_with_one_decimal_stay_in_their_plane(write_structures):
    grid = image(spacing=(2.0, 2.0, 0.7))
    outer = [box(grid, k, (3.5, 4.5), (13.5, 12.5)) for k in range(1, 6)]
    holes = [box(grid, k, (5.5, 6.5), (9.5, 8.5)) for k in range(1, 6)]
    path = write_structures({"GTV": np.round([*outer, *holes], 1)})
    mask, _ = read(path, grid)
    assert mask.sum() == 5 * (10 * 8 - 4 * 2)


def test_planes_far_closer_than_slices_are_not_one(write_structures):
    """Contours of slices of 0.4 mm on slices of 6 mm: one plane counts, not all by XOR."""
    grid = image(spacing=(2.0, 2.0, 6.0))
    at = np.arange(1.0, 4.0, 0.4 / 6)
    path = write_structures({"GTV": [box(grid, k, (3.5, 4.5), (13.5, 12.5)) for k in at]})
    mask, _ = read(path, grid)
    assert [int(plane.sum()) for plane in mask] == [0, 80, 80, 80, 80, 0, 0, 0]


def test_slices_that_were_left_out_stay_empty_and_are_counted(write_structures):
    grid = image()
    path = write_structures({"GTV": [box(grid, k, (3.5, 3.5), (8.5, 8.5)) for k in (1, 2, 5)]})
    mask, notes = read(path, grid)
    assert np.flatnonzero(mask.any(axis=(1, 2))).tolist() == [1, 2, 5]
    assert "slices between contours, left empty: 2" in notes["label GTV"]


def test_what_lies_outside_is_counted(write_structures):
    grid = image()
    contours = [box(grid, k, (-5.0, 3.5), (8.5, 8.5)) for k in (-1, 0, 1, 9)]
    mask, notes = read(write_structures({"GTV": contours}), grid)
    assert mask.sum() == 2 * 9 * 5
    assert "contours outside the image, left out: 2" in notes["label GTV"]
    assert "contours that reach beyond the image, cut off: 2" in notes["label GTV"]


def test_what_is_no_closed_contour_is_left_out_and_counted(write_structures):
    grid = image()
    square = box(grid, 3, (3.5, 3.5), (8.5, 8.5))
    contours = [square, ("POINT", square[:1]), ("OPEN_PLANAR", square), square[:2], []]
    mask, notes = read(write_structures({"GTV": contours}), grid)
    assert mask.sum() == 25
    left_out = {"of type POINT": 1, "of type OPEN_PLANAR": 1, "of less than 3 points": 2}
    for why, count in left_out.items():
        assert f"contours {why}, left out: {count}" in notes["label GTV"]


def contours_of(case: str, grid: sitk.Image) -> list[Any]:
    square = box(grid, 3, (3.5, 3.5), (8.5, 8.5))
    if case == "tilted":
        return [[*square[:3], box(grid, 4, (3.5, 3.5), (8.5, 8.5))[3]]]
    if case == "coarse":
        return [box(grid, k, (3.5, 3.5), (8.5, 8.5)) for k in (1, 3, 5)]
    if case == "outside":
        return [box(grid, 20, (3.5, 3.5), (8.5, 8.5))]
    if case == "beside":
        return [box(grid, 3, (30.0, 3.5), (40.0, 8.5))]
    return []


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("tilted", "'GTV': a contour is not parallel to the slices but spans 1 of them"),
        ("coarse", "'GTV': its contours lie 2 slices apart"),
        ("outside", "'GTV': all 1 contours lie outside the image"),
        ("beside", "RS.dcm: the mask of label 'GTV' (GTV) is empty on this image"),
        ("empty", "there is: GTV, heart"),
    ],
)
def test_what_can_not_be_drawn_is_refused(write_structures, case, reason):
    grid = image()
    with pytest.raises(SourceError) as caught:
        read(write_structures({"GTV": contours_of(case, grid), "heart": []}), grid)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("ContourData", ["nan"] * 12, "ContourData holds a value that isn't finite"),
        ("ContourData", ["1e30"] * 12, "ContourData holds a value that isn't finite"),
        ("ContourData", ["1"] * 11, "11 coordinates but claims 4 points"),
        ("NumberOfContourPoints", 5, "12 coordinates but claims 5 points"),
    ],
)
def test_damage_is_refused(write_structures, keyword, value, reason):
    grid = image()

    def damage(contour: Dataset) -> None:
        tag, vr = contour[keyword].tag, contour[keyword].VR
        contour[keyword] = DataElement(tag, vr, value, validation_mode=pydicom.config.IGNORE)

    path = write_structures({"GTV": [box(grid, 3, (3.5, 3.5), (8.5, 8.5))]}, each=damage)
    with pytest.raises(SourceError, match=reason) as caught:
        read(path, grid)
    assert caught.value.where == "RS.dcm, ROI 'GTV'"


@pytest.mark.parametrize(
    ("refers", "note"),
    [
        ({"frame": "9.9"}, "drawn on this series"),
        ({"frame": "9.9", "instance": "9.8"}, "names this series but none of its images"),
        ({"series": "9.7", "instance": "9.8"}, "matched by frame of reference and position"),
        ({"series": "9.7", "instance": "9.8", "frame": ""}, "matched by position alone"),
    ],
)
def test_what_shows_that_it_belongs_to_the_image_is_noted(write_structures, refers, note):
    grid = image()
    path = write_structures({"GTV": [box(grid, 3, (3.5, 3.5), (8.5, 8.5))]}, **refers)
    assert note in read(path, grid)[1]["label GTV"]


def test_another_frame_of_reference_is_refused(write_structures):
    grid = image()
    contours = {"GTV": [box(grid, 3, (3.5, 3.5), (8.5, 8.5))]}
    path = write_structures(contours, frame="9.9", series="9.7", instance="9.8")
    with pytest.raises(SourceError, match="belongs to another image"):
        read(path, grid)


def test_a_region_of_another_frame_in_a_file_that_knows_the_images(write_structures):
    grid = image()
    path = write_structures({"GTV": [box(grid, 3, (3.5, 3.5), (8.5, 8.5))], "lung": []})
    data = pydicom.dcmread(path)
    data.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "9.9"
    data.save_as(path)
    with pytest.raises(SourceError, match="no region is label 'GTV'; there is: lung"):
        read(path, grid)


def structures(write: WriteStructures, grid: sitk.Image, name: str, *rois: str, **refers: str):
    size = {"GTV": 8.5, "lung": 6.5}
    return write(
        {roi: [box(grid, 3, (3.5, 3.5), (size.get(roi, 5.5), 8.5))] for roi in rois},
        name=name,
        **refers,
    )


FAR = {"series": "9.7", "instance": "9.8"}
LUNG = {"background": 0, "GTV": 1, "lung": 2}


def test_the_file_of_this_series_comes_before_others(write_structures):
    grid = image()
    near = structures(write_structures, grid, "CT/RS.dcm", "GTV")
    far = structures(write_structures, grid, "PET/RS.dcm", "GTV", "lung", **FAR)
    for paths in ([near, far], [far, near]):
        _, notes = draw_label(paths, Lattice.of(grid), THIS, GTV, DicomLabels())
        assert notes == {"label GTV": "drawn on this series"}
    # lung is only in the file that was drawn elsewhere, which has both
    options = DicomLabels(priority=["lung", "GTV"])
    _, notes = draw_label([near, far], Lattice.of(grid), THIS, LUNG, options)
    assert "frame of reference and position" in notes["label GTV"]


def test_labels_may_lie_in_one_file_each(write_structures):
    grid = image()
    paths = [structures(write_structures, grid, f"{n}.dcm", n) for n in ("GTV", "lung")]
    label, _ = draw_label(paths, Lattice.of(grid), THIS, LUNG, DicomLabels(priority=["lung"]))
    assert np.bincount(label.ravel())[1:].tolist() == [10, 15]


def test_two_files_that_fit_are_listed(write_structures):
    grid = image()
    paths = [
        structures(write_structures, grid, f"{n}/RS.dcm", "GTV", n) for n in ("reader1", "reader2")
    ]
    with pytest.raises(SourceError) as caught:
        draw_label(paths, Lattice.of(grid), THIS, GTV, DicomLabels())
    assert "reader1/RS.dcm: GTV, reader1; reader2/RS.dcm: GTV, reader2" in str(caught.value)


def test_no_fitting_region_lists_what_all_files_have(write_structures):
    grid = image()
    paths = [structures(write_structures, grid, f"{n}.dcm", n) for n in ("heart", "lung")]
    with pytest.raises(SourceError, match=r"heart.dcm, lung.dcm: no region is label 'GTV'.*lung"):
        draw_label(paths, Lattice.of(grid), THIS, GTV, DicomLabels())


def test_an_optional_label_may_be_absent_from_every_file(write_structures):
    grid = image()
    path = structures(write_structures, grid, "RS.dcm", "heart")
    label, notes = draw_label([path], Lattice.of(grid), THIS, GTV, DicomLabels(optional=["GTV"]))
    assert not label.any()
    assert notes == {}


def test_a_region_by_its_number_and_names_with_brackets(write_structures):
    grid = image()
    path = structures(write_structures, grid, "RS.dcm", "a", "GTV [1]")
    for patterns in (["#2"], ["GTV [1]"], ["gtv [?]"]):
        mask, _ = read(path, grid, rois={"GTV": patterns})
        assert mask.sum() == 10


def test_a_file_that_is_neither(tmp_path):
    for content in (b"", b"junk" * 100):
        path = tmp_path / "RS.dcm"
        path.write_bytes(content)
        with pytest.raises(SourceError) as caught:
            names(path)
        assert caught.value.where == "RS.dcm"


def test_random_damage_is_an_error_or_does_no_harm(write_structures):
    grid = image()
    path = write_structures({"GTV": [box(grid, k, (3.5, 3.5), (8.5, 8.5)) for k in range(8)]})
    whole = path.read_bytes()
    for seed in range(150):
        random = np.random.default_rng(seed)
        damaged = np.frombuffer(whole[: random.integers(200, 2 * len(whole))], np.uint8).copy()
        damaged[random.integers(0, len(damaged), 5)] = random.integers(0, 256, 5)
        path.write_bytes(damaged.tobytes())
        with contextlib.suppress(SourceError):
            read(path, grid)
