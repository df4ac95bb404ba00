"""Enhanced multi-frame images against the same slices in files of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import dcm2niix
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from highdicom.legacy import LegacyConvertedEnhancedCTImage
from pydicom.uid import EnhancedMRImageStorage, RLELossless, generate_uid

from nnplug.errors import SourceError
from nnplug.types import Source
from nnplug_dicom.converter import DicomConverter
from nnplug_dicom.headers.frames import expand
from nnplug_dicom.headers.header import read_header
from nnplug_dicom.options import ChannelRule, DicomOptions

OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)


def item(**values) -> pydicom.Dataset:
    dataset = pydicom.Dataset()
    for name, value in values.items():
        setattr(dataset, name, value)
    return dataset


@pytest.fixture
def write_enhanced(tmp_path, write_series):
    """Write an enhanced MR image with one frame per (position along z, values of the frame)."""

    def write(frames, pixels, *, shared=(), folder=tmp_path / "enhanced", **tags) -> Path:
        (path,) = write_series(folder, (0,), pixels=pixels[:1])
        data = pydicom.dcmread(path)
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
        data.Modality = "MR"
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
            del data[name]
        data.NumberOfFrames = len(frames)
        data.PixelData = pixels.tobytes()
        data.SharedFunctionalGroupsSequence = [
            item(
                PixelMeasuresSequence=[item(PixelSpacing=["0.8", "0.5"])],
                PlaneOrientationSequence=[
                    item(ImageOrientationPatient=["1", "0", "0", "0", "1", "0"])
                ],
                **dict(shared),
            )
        ]
        data.PerFrameFunctionalGroupsSequence = [
            item(PlanePositionSequence=[item(ImagePositionPatient=["-7", "3", str(z)])], **macros)
            for z, macros in frames
        ]
        for name, value in tags.items():
            setattr(data, name, value)
        data.save_as(path)
        return path

    return write


@pytest.mark.parametrize("compressed", [False, True])
def test_a_legacy_converted_ct_equals_its_slices(
    tmp_path, write_series, volume_of, complete, compressed
):
    pixels = np.random.default_rng(1).integers(0, 4000, (5, 4, 6)).astype(np.int16)

    def each(number, data):
        complete(number, data)
        data.RescaleIntercept = str(-1000 - number)

    paths = write_series(
        tmp_path / "slices", (6, 0, 9, 3, 12), pixels=pixels, orientation=OBLIQUE, each=each
    )
    frames = LegacyConvertedEnhancedCTImage(
        [pydicom.dcmread(p) for p in paths], generate_uid(), 2, generate_uid(), 1
    )
    if compressed:
        frames.compress(RLELossless)
    path = tmp_path / "frames.dcm"
    frames.save_as(path)
    ours, slices = volume_of([path]).image, volume_of(paths).image
    np.testing.assert_array_equal(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(slices))
    assert ours.GetSpacing() == pytest.approx(slices.GetSpacing())
    assert ours.GetOrigin() == pytest.approx(slices.GetOrigin())
    assert ours.GetDirection() == pytest.approx(slices.GetDirection())


def test_each_frame_has_its_own_slope_and_place(write_enhanced, volume_of):
    pixels = np.full((3, 4, 6), 10, np.uint16)
    frames = [
        (
            z,
            {
                "PixelValueTransformationSequence": [
                    item(RescaleSlope=str(s), RescaleIntercept="-1")
                ]
            },
        )
        for z, s in ((8, 0.5), (0, 1.5), (4, 2.5))
    ]
    image = volume_of([write_enhanced(frames, pixels)]).image
    assert sitk.GetArrayFromImage(image)[:, 0, 0].tolist() == [14, 24, 4]
    assert image.GetSpacing() == pytest.approx((0.5, 0.8, 4))
    assert image.GetOrigin() == (-7, 3, 0)


def test_echoes_and_b_values_become_volumes_of_their_own(tmp_path, write_enhanced):
    volumes = [(echo, b) for echo in (10.0, 80.0) for b in (0.0, 1000.0)]
    frames = [
        (
            z,
            {
                "MREchoSequence": [item(EffectiveEchoTime=echo)],
                "MRDiffusionSequence": [item(DiffusionBValue=b)],
            },
        )
        for z in (0, 5, 10)
        for echo, b in volumes
    ]
    pixels = np.arange(12 * 24, dtype=np.uint16).reshape(12, 4, 6)
    folder = tmp_path / "case"
    write_enhanced(frames, pixels, folder=folder)
    for number, (echo, b) in enumerate(volumes):
        rule = ChannelRule(part=f"b={b:g}*TE {echo:g} ms")
        converter = DicomConverter(DicomOptions(channels={"MR": rule}))
        (case,) = converter.discover(Source(folder, {0: "MR"}, unlabelled=True))
        values = sitk.GetArrayFromImage(converter.read(case).images[0])
        np.testing.assert_array_equal(values, pixels[number::4])


def test_other_dimensions_become_volumes_of_their_own(tmp_path, write_enhanced):
    frames = [
        (z, {"FrameContentSequence": [item(DimensionIndexValues=[direction, place + 1])]})
        for direction in (1, 2, 3)
        for place, z in enumerate((0, 5, 10))
    ]
    pixels = np.arange(9 * 24, dtype=np.uint16).reshape(9, 4, 6)
    write_enhanced(
        frames,
        pixels,
        folder=tmp_path / "case",
        DimensionIndexSequence=[
            item(DimensionIndexPointer=0x00189089),  # DiffusionGradientOrientation
            item(DimensionIndexPointer=0x00200032),
        ],
    )
    rule = ChannelRule(part="dimension 2")
    converter = DicomConverter(DicomOptions(channels={"MR": rule}))
    (case,) = converter.discover(Source(tmp_path / "case", {0: "MR"}, unlabelled=True))
    values = sitk.GetArrayFromImage(converter.read(case).images[0])
    np.testing.assert_array_equal(values, pixels[3:6])


@pytest.mark.parametrize(
    ("keep", "reason"),
    [(2, "functional groups for 2 frames, but 3 frames"), (0, "no positions of their own")],
)
def test_frames_without_groups_are_refused(write_enhanced, volume_of, keep, reason):
    path = write_enhanced([(z, {}) for z in (0, 5, 10)], np.zeros((3, 4, 6), np.uint16))
    data = pydicom.dcmread(path)
    data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[:keep]
    data.save_as(path)
    with pytest.raises(SourceError, match=reason):
        volume_of([path])


def test_a_frame_without_position_is_named(write_enhanced, volume_of):
    path = write_enhanced([(z, {}) for z in (0, 5, 10)], np.zeros((3, 4, 6), np.uint16))
    data = pydicom.dcmread(path)
    del data.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence
    data.save_as(path)
    with pytest.raises(SourceError, match=r"ImageOrientationPatient in .*\.dcm frame 2"):
        volume_of([path])


def test_a_missing_frame_is_named(write_enhanced, volume_of):
    path = write_enhanced([(z, {}) for z in (0, 5, 15, 20)], np.zeros((4, 4, 6), np.uint16))
    with pytest.raises(SourceError, match=r"1 slice is missing.*dcm frame 2 at 5.00 mm"):
        volume_of([path])


def test_frames_equal_the_same_slices_as_files(data, volume_of):
    folder = data / "dicom_seg" / "dcmqi" / "23x38x3"
    frames = volume_of([folder / "multiframe" / "mf.dcm"]).image
    slices = volume_of(sorted((folder / "image").iterdir())).image
    np.testing.assert_array_equal(sitk.GetArrayFromImage(frames), sitk.GetArrayFromImage(slices))
    assert frames.GetOrigin() == pytest.approx(slices.GetOrigin(), abs=1e-4)
    assert frames.GetSpacing() == pytest.approx(slices.GetSpacing(), abs=1e-4)
    assert frames.GetDirection() == pytest.approx(slices.GetDirection(), abs=1e-4)


def test_siemens_frames_equal_the_ground_truth_and_dcm2niix(data, tmp_path, volume_of, same_space):
    folder = data / "dicom_generic" / "siemens_multiframe" / "anatomical" / "001"
    image = volume_of(sorted(folder.iterdir())).image
    truth = sitk.ReadImage(folder.with_name("001_ground_truth.nii.gz"))
    np.testing.assert_array_equal(*same_space(image, truth))
    command = [dcm2niix.bin, "-z", "n", "-b", "n", "-f", "out", "-o", str(tmp_path), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    np.testing.assert_array_equal(*same_space(image, sitk.ReadImage(tmp_path / "out.nii")))


def test_one_plane_stays_one_header(tmp_path, write_series):
    (path,) = write_series(tmp_path, (0,))
    header = read_header(path)
    assert expand(header) == [header]
