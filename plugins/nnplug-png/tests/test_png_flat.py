"""Two-dimensional images as nnU-Net v1 has them, and TIFF files that are no volumes."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from PIL import Image

from nnplug.errors import SourceError
from nnplug.types import Source
from nnplug_png.converter import PngConverter
from nnplug_png.options import PngOptions

COLOUR = np.random.default_rng(0).integers(0, 256, (11, 13, 3), dtype=np.uint8)
CHANNELS = {0: "red", 1: "green", 2: "blue"}


def test_a_colour_image_becomes_what_nnunets_own_conversion_makes(tmp_path: Path) -> None:
    """nnunet.utilities.file_conversions.convert_2d_image_to_nifti is the reference."""
    (tmp_path / "images").mkdir()
    path = tmp_path / "images" / "road.png"
    Image.fromarray(COLOUR).save(path)
    code = (
        "from nnunet.utilities.file_conversions import convert_2d_image_to_nifti as convert;"
        f"convert({str(path)!r}, {str(tmp_path / 'stock')!r})"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True)
    converter = PngConverter(PngOptions(spacing=(1, 1), rgb="split"))
    (source,) = converter.discover(Source(tmp_path, CHANNELS, unlabelled=True))
    images = converter.read(source).images
    assert len(images) == 3
    for channel, image in enumerate(images):
        stock = sitk.ReadImage(str(tmp_path / f"stock_{channel:04d}.nii.gz"))
        assert np.array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(stock))
        assert image.GetSpacing() == stock.GetSpacing() == (1, 1, 999)
        assert image.GetOrigin() == stock.GetOrigin()


def test_two_values_of_spacing_are_not_enough_for_a_volume(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    tifffile.imwrite(
        tmp_path / "images" / "a.tif", COLOUR.transpose(2, 0, 1), photometric="minisblack"
    )
    converter = PngConverter(PngOptions(spacing=(1, 1)))
    (source,) = converter.discover(Source(tmp_path, unlabelled=True))
    with pytest.raises(SourceError, match="3 slices and no distance"):
        converter.read(source)


@pytest.mark.parametrize("form", ["ome", "imagej"])
@pytest.mark.parametrize(("axes", "refused"), [("ZYX", False), ("CYX", True), ("TYX", True)])
def test_pages_that_are_channels_or_times(
    tmp_path: Path, form: str, axes: str, refused: bool
) -> None:
    (tmp_path / "images").mkdir()
    path = tmp_path / "images" / f"a{'.ome' if form == 'ome' else ''}.tif"
    values = COLOUR.transpose(2, 0, 1)
    tifffile.imwrite(
        path, values, metadata={"axes": axes}, **{form: True}, photometric="minisblack"
    )
    converter = PngConverter(PngOptions(spacing=(1, 1, 1)))
    (source,) = converter.discover(Source(tmp_path, unlabelled=True))
    if refused:
        with pytest.raises(SourceError, match="not all slices of one volume"):
            converter.read(source)
    else:
        (image,) = converter.read(source).images
        assert np.array_equal(sitk.GetArrayFromImage(image), values)


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_volumes_of_tifffile_are_equal_or_refused(
    tmp_path: Path, kind: str, order: str, compression: str | None
) -> None:
    """Pillow gives some of them with wrong signs or in the wrong byte order."""
    (tmp_path / "images").mkdir()
    values = np.random.default_rng(1).normal(0, 1e5, (4, 5, 6)).astype("i8").astype(kind)
    if kind == "u4":
        values[0, 0, 0] = 2**32 - 1
    tifffile.imwrite(
        tmp_path / "images" / "a.tif",
        values,
        byteorder=order,
        compression=compression,
        photometric="minisblack",
    )
    converter = PngConverter(PngOptions(spacing=(1, 1, 2)))
    (source,) = converter.discover(Source(tmp_path, unlabelled=True))
    hard = order == ">" and compression and kind in ("i2", "i4", "f4")
    if hard or kind == "f8" or (kind == "u4" and order == ">"):
        with pytest.raises(SourceError, match=r"read|no PNG"):
            converter.read(source)
        return
    (image,) = converter.read(source).images
    assert np.array_equal(sitk.GetArrayFromImage(image), values)


def test_a_header_alone_that_claims_a_huge_image(tmp_path: Path) -> None:
    head = struct.pack(">IIBBBBB", 10**6, 10**6, 8, 0, 0, 0, 0)
    (tmp_path / "images").mkdir()
    path = tmp_path / "images" / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
            for tag, data in ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0")))
        )
    )
    converter = PngConverter(PngOptions(spacing=(1, 1)))
    (source,) = converter.discover(Source(tmp_path, unlabelled=True))
    with pytest.raises(SourceError, match="larger than a slice") as info:
        converter.read(source)
    assert info.value.where == str(path)
