"""Values of single files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnplug.errors import SourceError
from nnplug_png.pixels import Rgb, read_pages


def save(path: Path, values: np.ndarray, mode: str | None = None) -> Path:
    image = Image.fromarray(values)
    (image.convert(mode) if mode else image).save(path)
    return path


def png(path: Path, width: int, depth: int, kind: int, row: bytes, height: int = 1) -> Path:
    """Write a PNG of one row by hand: depths and colour types that Pillow doesn't write."""

    def chunk(tag: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(tag + data))
        return struct.pack(">I", len(data)) + tag + data + checksum

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def pages(path: Path, rgb: Rgb = "error", *, label: bool = False) -> list[np.ndarray]:
    return list(read_pages(path, rgb=rgb, label=label))


def refusal(path: Path, rgb: Rgb = "error", *, label: bool = False) -> SourceError:
    with pytest.raises(SourceError) as info:
        pages(path, rgb, label=label)
    assert info.value.where == str(path)
    assert info.value.hint
    return info.value


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_grey_values_and_type_are_kept(tmp_path: Path, suffix: str, kind: type) -> None:
    values: np.ndarray = (np.arange(30).reshape(5, 6) * (8 if kind is np.uint8 else 2100)).astype(
        kind
    )
    (found,) = pages(save(tmp_path / f"a{suffix}", values))
    assert found.dtype == kind
    assert np.array_equal(found, values)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_wide_tiff(tmp_path: Path, kind: type) -> None:
    values: np.ndarray = (np.arange(30).reshape(5, 6) * 70000 - 5).astype(kind)
    (found,) = pages(save(tmp_path / "a.tif", values))
    assert found.dtype == kind
    assert np.array_equal(found, values)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_one_bit_becomes_zero_and_one(tmp_path: Path, suffix: str) -> None:
    (found,) = pages(save(tmp_path / f"a{suffix}", np.eye(9, dtype=bool)), label=True)
    assert found.dtype == np.uint8
    assert np.array_equal(found, np.eye(9))


@pytest.mark.parametrize(
    ("depth", "row", "values"),
    [(2, bytes([0b00011011]), [0, 1, 2, 3]), (4, bytes([0x01, 0xF7]), [0, 1, 15, 7])],
)
def test_two_and_four_bits_are_not_stretched(
    tmp_path: Path, depth: int, row: bytes, values: list[int]
) -> None:
    (found,) = pages(png(tmp_path / "a.png", 4, depth, 0, row), label=True)
    assert found.tolist() == [values]


def test_a_palette_label_gives_indices_and_a_palette_image_is_colour(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 5]], dtype=np.uint8), mode=None)
    image.putpalette([9, 8, 7] * 6)
    path = tmp_path / "a.png"
    image.save(path)
    assert pages(path, label=True)[0].tolist() == [[0, 1], [2, 5]]
    assert "colour image" in refusal(path).problem


def test_colour_by_option(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    path = save(tmp_path / "a.png", values)
    assert "colour image" in refusal(path).problem
    assert np.array_equal(pages(path, "split")[0], values)
    grey = pages(path, "luminance")[0]
    weighted = values.astype(float) @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey - weighted).max() <= 1


def test_colour_labels(tmp_path: Path) -> None:
    grey = np.repeat(np.array([[0, 1, 2]], dtype=np.uint8)[..., None], 3, axis=2)
    path = save(tmp_path / "grey.png", grey)
    assert "colour label" in refusal(path, label=True).problem
    assert pages(path, "luminance", label=True)[0].tolist() == [[0, 1, 2]]
    grey[0, 1, 0] = 9
    path = save(tmp_path / "red.png", grey)
    assert "classes are colours" in refusal(path, "luminance", label=True).problem


def test_sixteen_bit_colour_is_refused(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png", 1, 16, 2, bytes(range(6)))
    assert "16 bits" in refusal(path, "split").problem


def test_alpha_has_to_be_full(tmp_path: Path) -> None:
    values = np.full((2, 2, 2), 255, dtype=np.uint8)
    values[..., 0] = 77
    path = save(tmp_path / "a.png", values)
    assert pages(path)[0].tolist() == [[77, 77], [77, 77]]
    values[0, 0, 1] = 254
    assert "transparent" in refusal(save(tmp_path / "b.png", values)).problem


def test_jpeg_images_but_not_labels(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", np.full((8, 8), 100, dtype=np.uint8))
    assert pages(path)[0].shape == (8, 8)
    assert "JPEG" in refusal(path, label=True).problem


def test_tiff_with_a_rotation_tag_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.zeros((3, 4), dtype=np.uint8)).save(path, tiffinfo={274: 6})
    assert "rotation" in refusal(path).problem


def test_several_pages_and_several_frames(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    first, second = (Image.fromarray(v) for v in values)
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    assert np.array_equal(np.stack(pages(tmp_path / "a.tif")), values)
    first.save(tmp_path / "a.png", save_all=True, append_images=[second])
    assert "2 frames" in refusal(tmp_path / "a.png").problem


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_cut_and_empty_and_foreign_files(tmp_path: Path, name: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    path = save(tmp_path / name, values)
    data = path.read_bytes()
    for content in (data[: len(data) // 2], b"", b"hello" * 100):
        path.write_bytes(content)
        assert "read" in refusal(path).problem or "no PNG" in refusal(path).problem


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("size", [10_000, 30_000])
def test_a_decompression_bomb_is_refused(tmp_path: Path, size: int) -> None:
    path = png(tmp_path / "a.png", size, 8, 0, bytes(size), height=size)
    assert "larger than" in refusal(path).problem
