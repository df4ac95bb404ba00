"""How pixels are stored: syntaxes, types, and claims that a file can't hold."""

from __future__ import annotations

import base64
from functools import partial

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from nnplug.errors import SourceError

# SMOOTH[0] as a lossless HTJ2K code stream, made with OpenJPH (imagecodecs 2026.3.6).
HTJ2K = base64.b64decode(
    "/0//UQApQAAAAAAeAAAAKAAAAAAAAAAAAAAAHgAAACgAAAAAAAAAAAABjwEB/1AACAACAAAACv9SAAwA"
    "AgABAAUEBEAB/1wAEyCIkJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoA"
    "AAAAAMUAAf+TwAAnb9nxAoN0AMAAE8AAEoBGG/0CC3QA+QDHdADAABUwAASAnp6eAGIxgnYAOTNTAMAA"
    "FfAABVAAgFAIAAiFAMKHNJCCtgDQ0NDQ6CEBvrYAwAAVkAAFoq3WWufC/X6/X6t5AGbTNE3TNP7ABCB7"
    "9hCB7LsAwAAt6AAFuixjLGMZy1jGMpaxjGXs+f8X6/X6/X6/X6/X4AtwASxjjDHGGGOMMfb/emAAAj9g"
    "AB79gAB79gAB7LMB/9k="
)
SMOOTH = (np.indices((3, 40, 30)).sum(axis=0) * 23 - 900).astype(np.int16)


def series(write_series, folder, change, pixels=SMOOTH):
    """Write a series and change each data set as it is saved; returns the files."""
    paths = write_series(folder, (0, 5, 10), pixels=pixels)
    for path in paths:
        data = pydicom.dcmread(path)
        change(data)
        syntax = data.file_meta.TransferSyntaxUID
        pydicom.dcmwrite(
            path,
            data,
            little_endian=syntax != ExplicitVRBigEndian,
            implicit_vr=syntax == ImplicitVRLittleEndian,
            force_encoding=True,
        )
    return paths


def as_syntax(data, syntax):
    if syntax == ExplicitVRBigEndian:
        data.PixelData = data.pixel_array.astype(">i2").tobytes()
        data["PixelData"].VR = "OW"
    data.file_meta.TransferSyntaxUID = syntax


@pytest.mark.parametrize(
    "change",
    [
        *(
            partial(as_syntax, syntax=syntax)
            for syntax in (
                ExplicitVRBigEndian,
                ImplicitVRLittleEndian,
                DeflatedExplicitVRLittleEndian,
            )
        ),
        *(
            lambda data, syntax=syntax: data.compress(syntax, generate_instance_uid=False)
            for syntax in (RLELossless, JPEGLSLossless)
        ),
    ],
    ids=["big endian", "implicit", "deflated", "RLE", "JPEG-LS"],
)
def test_syntaxes_give_the_same_pixels(tmp_path, write_series, volume_of, change):
    image = volume_of(series(write_series, tmp_path, change)).image
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), SMOOTH)
    reader = sitk.ImageFileReader()  # GDCM
    reader.SetFileName(str(sorted(tmp_path.iterdir())[1]))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(reader.Execute())[0], SMOOTH[1])


def test_htj2k(tmp_path, write_series, volume_of):
    def change(data):
        data.PixelData = encapsulate([HTJ2K])
        data["PixelData"].VR = "OB"
        data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.201"

    image = volume_of(series(write_series, tmp_path, change)).image
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), SMOOTH[[0, 0, 0]])


@pytest.mark.parametrize(("keyword", "kind"), [("Float", np.float32), ("DoubleFloat", np.float64)])
def test_float_pixels(tmp_path, write_series, volume_of, keyword, kind):
    values = np.linspace(-1, 1, SMOOTH.size).reshape(SMOOTH.shape).astype(kind)
    planes = iter(values)

    def change(data):
        del data.PixelData
        setattr(data, f"{keyword}PixelData", next(planes).tobytes())
        data.BitsAllocated = values.dtype.itemsize * 8
        for name in ("BitsStored", "HighBit", "PixelRepresentation"):
            delattr(data, name)

    read = sitk.GetArrayFromImage(volume_of(series(write_series, tmp_path, change)).image)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values.astype(np.float32))


def test_single_bits(tmp_path, write_series, volume_of):
    bits = np.random.default_rng(0).integers(0, 2, SMOOTH.shape).astype(np.uint8)
    planes = iter(bits)

    def change(data):
        data.PixelData = np.packbits(next(planes).ravel(), bitorder="little").tobytes()
        data["PixelData"].VR = "OB"
        data.BitsAllocated = data.BitsStored = 1
        data.HighBit = data.PixelRepresentation = 0

    image = volume_of(series(write_series, tmp_path, change)).image
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), bits)


def test_padding_is_kept_and_noted(tmp_path, write_series, volume_of):
    pixels = SMOOTH.copy()
    pixels[:, :3] = -2000
    paths = write_series(
        tmp_path, (0, 5, 10), pixels=pixels, PixelPaddingValue=-2000, RescaleIntercept="-1024"
    )
    volume = volume_of(paths)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(volume.image), pixels - 1024)
    assert volume.notes == {"padding": "PixelPaddingValue, -3024 after rescaling, is kept"}


@pytest.mark.parametrize("syntax", [None, RLELossless, DeflatedExplicitVRLittleEndian])
def test_claims_that_no_file_can_hold_are_refused(tmp_path, write_series, volume_of, syntax):
    def change(data):
        if syntax == RLELossless:
            data.compress(syntax, generate_instance_uid=False)
        elif syntax:
            as_syntax(data, syntax)
        data.Rows = data.Columns = 65535

    with pytest.raises(SourceError, match=r"cut off|far more than a file of"):
        volume_of(series(write_series, tmp_path, change))


@pytest.mark.parametrize(
    ("number", "marker", "size_at", "size"),
    [
        (5, b"\xff\xc3", 5, b"\xea\x60\xea\x60"),
        (8, b"\xff\xf7", 5, b"\xea\x60\xea\x60"),
        (9, b"\xff\x4f\xff\x51", 8, b"\x00\x00\xea\x60\x00\x00\xea\x60"),
    ],
    ids=["JPEG", "JPEG-LS", "JPEG 2000"],
)
def test_a_stream_of_another_size_is_not_decoded(
    data, tmp_path, volume_of, number, marker, size_at, size
):
    content = bytearray((data / "dicom_transfer_syntaxes" / "In" / f"{number}.dcm").read_bytes())
    pixels = content.rfind(b"\xe0\x7f\x10\x00OB")
    at = content.index(marker, pixels) + size_at
    content[at : at + len(size)] = size
    path = tmp_path / "damaged.dcm"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="compressed pixels are 60000 x 60000 with 1 comp"):
        volume_of([path])


@pytest.mark.parametrize("palette", ["PALETTE COLOR", "YBR_FULL_422", ""])
def test_other_photometric_interpretations_are_refused(tmp_path, write_series, volume_of, palette):
    paths = write_series(tmp_path, PhotometricInterpretation=palette)
    with pytest.raises(SourceError, match=f"colour images are not read: {palette or 'unknown'}"):
        volume_of(paths)


def test_an_unknown_syntax_is_named(tmp_path, write_series, volume_of):
    def change(data):
        data.compress(RLELossless, generate_instance_uid=False)
        data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.112"

    with pytest.raises(SourceError, match=r"transfer syntax 1\.2\.840\.10008\.1\.2\.4\.112"):
        volume_of(series(write_series, tmp_path, change))


def test_a_modality_lut_is_refused(tmp_path, write_series, volume_of):
    lut = pydicom.Dataset()
    lut.LUTDescriptor, lut.LUTData, lut.ModalityLUTType = [2, 0, 16], bytes(4), "US"
    with pytest.raises(SourceError, match="Modality LUT"):
        volume_of(write_series(tmp_path, ModalityLUTSequence=[lut]))
