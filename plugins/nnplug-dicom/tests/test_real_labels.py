"""Real SEGs and RTSTRUCTs against masks that others made of them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from nnplug.errors import SourceError
from nnplug.types import Source
from nnplug_dicom.converter import DicomConverter
from nnplug_dicom.labels.draw import ImageReference, draw_label, names
from nnplug_dicom.options import DicomLabels, DicomOptions
from nnplug_dicom.volumes.lattice import Lattice

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import highdicom

UNKNOWN = ImageReference()


def reference_of(folder: Path) -> ImageReference:
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in folder.iterdir()]
    return ImageReference(
        headers[0].SeriesInstanceUID,
        headers[0].get("FrameOfReferenceUID", ""),
        frozenset(header.SOPInstanceUID for header in headers),
    )


def masks(path, grid, rois, reference=UNKNOWN, **options):
    labels = {"background": 0, **{name: value for value, name in enumerate(rois, 1)}}
    options = DicomLabels(rois=rois, **options)
    return draw_label([path], Lattice.of(grid), reference, labels, options)


@pytest.mark.parametrize("modality", ["CT", "MR_T1", "PET"])
def test_sarcoma_contours_equal_the_reference_masks(data, modality):
    for case in sorted((data / "sts" / "dicom").iterdir()):
        folder, nifti = case / modality, data / "sts" / "nifti" / case.name
        truth = sitk.ReadImage(nifti / f"{modality}_mask.nii.gz")
        expected = sitk.GetArrayFromImage(truth) > 0
        reference = reference_of(folder / "image")
        rois = {"GTV": [f"GTV_Mass_{modality}"]}
        mask, notes = masks(folder / "mask" / "RS.dcm", truth, rois, reference)
        dice = 2 * np.count_nonzero(mask & expected) / (mask.sum() + expected.sum())
        assert dice >= 0.999, (case.name, dice)
        assert notes["label GTV"].startswith("names this series but none of its images")


def test_regions_are_drawn_on_the_reference_channel(data):
    options = DicomOptions(labels=DicomLabels(format="rtstruct", rois={"GTV": ["GTV_Mass_CT"]}))
    converter = DicomConverter(options)
    source = Source(
        data / "sts" / "dicom", {0: "PET", 1: "CT"}, {"background": 0, "GTV": 1}, reference=1
    )
    case = next(found for found in converter.discover(source) if found.name == "STS_002")
    label = converter.read(case).label
    truth = sitk.ReadImage(data / "sts" / "nifti" / "STS_002" / "CT_mask.nii.gz")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(label), sitk.GetArrayFromImage(truth) > 0)


def test_the_structure_set_of_the_channel_is_taken(data):
    case = data / "sts" / "dicom" / "STS_002"
    files = [case / modality / "mask" / "RS.dcm" for modality in ("PET", "MR_T1", "CT")]
    grid = sitk.ReadImage(data / "sts" / "nifti" / "STS_002" / "CT_mask.nii.gz")
    reference = reference_of(case / "CT" / "image")
    labels = {"background": 0, "GTV": 1}

    def read(pattern: str, image: ImageReference):
        options = DicomLabels(rois={"GTV": [pattern]})
        return draw_label(files, Lattice.of(grid), image, labels, options)

    label, _ = read("GTV_Mass*", reference)
    np.testing.assert_array_equal(label, sitk.GetArrayFromImage(grid))
    _, notes = read("GTV_Mass_PET", reference)
    assert "frame of reference and position" in notes["label GTV"]
    with pytest.raises(SourceError, match="3 files have regions for the same label: PET/mask"):
        read("GTV*", ImageReference(frame=reference.frame))
    with pytest.raises(SourceError, match="belongs to another image"):
        read("GTV*", ImageReference("1.2", "1.3"))


def test_structure_sets_with_references_that_lead_nowhere(data):
    root = data / "dicom_rtstruct" / "rt_utils"
    grid = sitk.Image(512, 512, 2, sitk.sitkInt16)
    grid.SetSpacing((0.488281, 0.488281, 5.0))
    grid.SetOrigin((-125.0, -125.0, 60.0))
    headers = [pydicom.dcmread(root / "mock_data" / f"ct_{n}.dcm") for n in (1, 2)]
    first = headers[0]
    reference = ImageReference(
        first.SeriesInstanceUID,
        first.FrameOfReferenceUID,
        frozenset(header.SOPInstanceUID for header in headers),
    )
    # Its frame of reference is another one, but it names the images.
    mask, notes = masks(root / "mock_data" / "rt.dcm", grid, {"x": ["ROI-1"]}, reference)
    assert notes == {"label x": "drawn on this series"}
    assert mask[0].any()
    assert not mask[1].any()
    for file in ("invalid_reference_rt.dcm", "non_existent_reference_rt.dcm"):
        path = root / "mock_data" / file
        assert names(path) == ["ROI-1", "ROI-2", "ROI-3", "ROI-4"]
        for name in names(path):
            mask, notes = masks(path, grid, {"x": [name]}, reference)
            assert mask.any(axis=(1, 2)).all()
            assert notes["label x"].endswith("contours outside the image, left out: 1")


@pytest.mark.parametrize(
    ("seg", "truth", "series", "number", "value"),
    [
        ("liver.dcm", "liver_seg.nrrd", "ct-3slice", 1, 1),
        ("partial_overlaps.dcm", "partial_overlaps-1.nrrd", "ct-3slice", 1, 1),
        ("partial_overlaps.dcm", "partial_overlaps-2.nrrd", "ct-3slice", 2, 2),
        ("partial_overlaps.dcm", "partial_overlaps-3.nrrd", "ct-3slice", 3, 3),
        ("partial_overlaps.dcm", "partial_overlaps-1.nrrd", "ct-3slice", 4, 4),
        ("partial_overlaps.dcm", "partial_overlaps-1.nrrd", "ct-3slice", 5, 5),
        ("23x38x3/seg/label.seg", "23x38x3/nrrd/label.nrrd", "23x38x3/image", 1, 1),
        ("24x38x3/seg/label.seg", "24x38x3/nrrd/label.nrrd", "24x38x3/image", 1, 1),
        ("sparse-labelmap-noppv.dcm", "sparse_labelmap_noppv_seg.nrrd", "24x38x3/image", 1, 1),
        ("sparse-labelmap-ppv5.dcm", "sparse_labelmap_ppv5_seg.nrrd", "24x38x3/image", 1, 1),
    ],
)
def test_segments_equal_what_dcmqi_made_of_them(data, seg, truth, series, number, value):
    root = data / "dicom_seg" / "dcmqi"
    grid = sitk.ReadImage(root / truth)
    mask, notes = masks(root / seg, grid, {"x": [f"#{number}"]}, reference_of(root / series))
    np.testing.assert_array_equal(mask == 1, sitk.GetArrayFromImage(grid) == value)
    assert notes == {"label x": "drawn on this series"}


def test_overlaps_of_segments_are_refused_or_counted(data):
    root = data / "dicom_seg" / "dcmqi"
    path, grid = root / "partial_overlaps.dcm", sitk.ReadImage(root / "liver_seg.nrrd")
    rois = {name: [name] for name in names(path)}
    with pytest.raises(SourceError, match="'GREEN' and 'ORANGE' overlap in 3017 voxels"):
        masks(path, grid, rois)
    mask, notes = masks(path, grid, rois, priority=list(rois))
    assert notes["overlap GREEN over ORANGE"] == "3017 voxels"
    assert np.bincount(mask.ravel())[1:].tolist() == [9602, 8871, 10626, 6693, 4713]


@pytest.mark.parametrize(
    ("file", "threshold"),
    [
        ("seg_image_ct_binary", 0.5),
        ("seg_image_ct_binary_overlap", 0.5),
        ("seg_image_ct_binary_fractional", 0.5),
        ("seg_image_ct_true_fractional", 0.3),
        ("seg_image_ct_true_fractional", 0.5),
        ("seg_image_ct_binary_single_frame", 0.5),
    ],
)
def test_segments_equal_what_highdicom_reads(data, file, threshold):
    path = data / "dicom_seg" / "highdicom" / f"{file}.dcm"
    seg = highdicom.seg.segread(path)
    for number, name in enumerate(names(path), 1):
        volume = seg.get_volume(segment_numbers=[number], allow_missing_positions=True)
        expected = volume.array[..., 0] >= threshold
        # highdicom's axes are slices, rows, columns; ours x (columns), y (rows), z.
        grid = sitk.Image(*expected.shape[::-1], sitk.sitkUInt8)
        directions = volume.affine[:3, :3][:, ::-1]
        spacing = np.linalg.norm(directions, axis=0)
        grid.SetSpacing(spacing.tolist())
        grid.SetDirection((directions / spacing).ravel().tolist())
        grid.SetOrigin(volume.affine[:3, 3].tolist())
        mask, _ = masks(path, grid, {"x": [name]}, threshold=threshold)
        np.testing.assert_array_equal(mask == 1, expected)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("seg_image_sm_control", "a frame has no PlanePositionSequence"),
        ("seg_image_sm_control_labelmap_palette_color", "a frame has no PlanePositionSequence"),
        ("seg_image_cr_binary", "a frame has no PlanePositionSequence"),
        ("seg_image_sm_dots_tiled_full", "the header places 0 of its 1250 frames"),
    ],
)
def test_segmentations_of_what_is_no_volume_are_refused(data, file, reason):
    path = data / "dicom_seg" / "highdicom" / f"{file}.dcm"
    with pytest.raises(SourceError, match=reason) as caught:
        masks(path, sitk.Image(16, 16, 3, sitk.sitkUInt8), {"x": ["#1"]})
    assert str(caught.value.where).startswith(path.name)
