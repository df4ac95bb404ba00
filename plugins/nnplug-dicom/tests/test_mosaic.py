"""Siemens mosaics and the private header that says where their tiles belong."""

from __future__ import annotations

import gzip
import struct
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from nnplug.errors import SourceError
from nnplug_dicom.headers.csa import read_csa

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from nibabel.nicom import csareader, dicomwrappers

NAMES = ("NumberOfImagesInMosaic", "SliceNormalVector", "B_value")
SAMPLES = Path(csareader.__file__).parent / "tests" / "data"


def csa(tags: dict[str, list[str]], *, second: bool = True) -> bytes:
    """A CSA header of one of the two layouts."""
    out = (b"SV10\4\3\2\1" if second else b"") + struct.pack("<2I", len(tags), 77)
    excess = len(next(iter(tags.values())))
    for name, texts in tags.items():
        out += struct.pack("<64si4s3i", name.encode(), len(texts), b"FD", 0, len(texts), 205)
        for text in texts:
            value = text.encode() + b"\0"
            first = len(value) if second else len(value) + excess
            out += struct.pack("<4i", first, len(value), 77, len(value))
            out += value + b"\0" * (-len(value) % 4)
    return out


@pytest.fixture
def write_mosaic(tmp_path, write_series):
    """Write a mosaic of five 4 x 6 tiles, as 3 x 3 tiles; tile n is filled with n + 1."""

    def write(normal=("0", "0", "1"), header=None, **tags) -> Path:
        tiles = np.zeros((9, 4, 6), np.uint16)
        tiles[:5] = np.arange(1, 6)[:, None, None]
        pixels = tiles.reshape(3, 3, 4, 6).swapaxes(1, 2).reshape(1, 12, 18)
        values = {"NumberOfImagesInMosaic": ["5"], "SliceNormalVector": list(normal)}

        def mark(number, data):
            block = data.private_block(0x29, "SIEMENS CSA HEADER", create=True)
            block.add_new(0x10, "OB", csa(values) if header is None else header)

        (path,) = write_series(
            tmp_path,
            (0,),
            pixels=pixels,
            each=mark,
            **{"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"], "SpacingBetweenSlices": "7"},
            **tags,
        )
        return path

    return write


@pytest.mark.parametrize("name", ["csa2_b0.bin", "csa2_b1000.bin", "csa2_zero_len.bin.gz"])
def test_real_headers_read_as_nibabel_reads_them(name):
    path = SAMPLES / name
    data = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    theirs = {k: t["items"] for k, t in csareader.read(data)["tags"].items() if t["items"]}
    ours = read_csa(data, theirs)
    numbers = [k for k, items in theirs.items() if not isinstance(items[0], str)]
    assert numbers
    for key in numbers:
        assert [float(v) for v in ours[key]] == [float(v) for v in theirs[key]]


def test_the_first_layout():
    tags = {"A": ["1", "2", "3"], "NumberOfImagesInMosaic": ["35"], "B_value": ["0.25"]}
    assert read_csa(csa(tags, second=False), NAMES) == {
        "NumberOfImagesInMosaic": ["35"],
        "B_value": ["0.25"],
    }


def test_a_cut_off_header_is_an_error():
    whole = csa({"A": ["1", "2"], "B_value": ["1000"]})
    for length in range(len(whole) - 3):
        with pytest.raises(ValueError, match="CSA header"):
            read_csa(whole[:length], NAMES)


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_texts_or_an_error(data, second):
    try:
        found = read_csa((b"SV10\4\3\2\1" if second else b"") + data, NAMES)
    except ValueError:
        return
    assert set(found) <= set(NAMES)


def test_nine_transfer_syntaxes_equal_their_references(data, volume_of, same_space):
    folder, syntaxes = data / "dicom_transfer_syntaxes", set()
    for number in range(1, 10):
        path = folder / "In" / f"{number}.dcm"
        syntaxes.add(pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)
        reference = sitk.ReadImage(folder / "Ref" / f"{number}.nii")
        np.testing.assert_array_equal(*same_space(volume_of([path]).image, reference))
    assert len(syntaxes) == 7


@pytest.mark.parametrize("name", ["siemens_dwi_0.dcm.gz", "siemens_dwi_1000.dcm.gz"])
def test_mosaics_lie_where_nibabel_puts_them(tmp_path, volume_of, name):
    path = tmp_path / "mosaic.dcm"
    path.write_bytes(gzip.decompress((SAMPLES / name).read_bytes()))
    theirs = dicomwrappers.wrapper_from_file(path)
    image = volume_of([path]).image
    values = theirs.get_data()  # row, column, slice; the affine's first axis is the row's too
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).transpose(1, 2, 0), values)
    for row, column, slice_ in ((0, 0, 0), (5, 9, 13), tuple(n - 1 for n in values.shape)):
        place = theirs.affine @ (row, column, slice_, 1)
        ours = image.TransformIndexToPhysicalPoint((column, row, slice_))
        assert ours == pytest.approx(place[:3], abs=1e-3)


@pytest.mark.parametrize("sign", [1, -1])
def test_tiles_follow_the_slice_normal(write_mosaic, volume_of, sign):
    image = volume_of([write_mosaic(normal=("0", "0", str(sign)))]).image
    assert image.GetSize() == (6, 4, 5)
    assert image.GetSpacing() == pytest.approx((0.5, 0.8, 7))
    for tile in range(5):
        # The first tile's corner: half the rest of the mosaic from the corner of the whole.
        place = ((18 - 6) / 2 * 0.5, (12 - 4) / 2 * 0.8, sign * 7 * tile)
        assert image[image.TransformPhysicalPointToIndex(place)] == tile + 1


@pytest.mark.parametrize(
    "broken",
    [
        {"header": b""},
        {"header": csa({"NumberOfImagesInMosaic": ["5"], "A": ["1"]})},
        {"header": csa({"NumberOfImagesInMosaic": ["5"], "SliceNormalVector": ["0"] * 3})[:-9]},
        {"normal": ("1", "0", "0")},
        {"normal": ("0", "0", "nan")},
        {"SpacingBetweenSlices": ""},
        {"SpacingBetweenSlices": "0"},
    ],
)
def test_mosaics_without_their_private_header_are_refused(write_mosaic, volume_of, broken):
    tags = {k: v for k, v in broken.items() if k == "SpacingBetweenSlices"}
    path = write_mosaic(**{k: v for k, v in broken.items() if k not in tags})
    if tags:
        data = pydicom.dcmread(path)
        data.SpacingBetweenSlices = tags["SpacingBetweenSlices"]
        data.save_as(path)
    with pytest.raises(SourceError, match="is a mosaic, many slices in one image"):
        volume_of([path])
