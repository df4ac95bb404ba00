"""Labels whose classes are colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nnplug.errors import SourceError
from nnplug_png.options import PngLabels, parse_colour
from nnplug_png.pixels import read_pages

COLOURS = {"#000000": 0, "255,0,0": 1, "0-128-255": 7}
CLASSES = np.array([[0, 1, 1], [7, 0, 7]], dtype=np.uint8)
RGB = {0: (0, 0, 0), 1: (255, 0, 0), 7: (0, 128, 255)}


def picture(mode: str) -> Image.Image:
    values = np.array([[RGB[int(v)] for v in row] for row in CLASSES], dtype=np.uint8)
    image = Image.fromarray(values)
    return image.quantize(8) if mode == "P" else image.convert(mode)


def read(path: Path, colours: dict[str, int] = COLOURS) -> np.ndarray:
    (page,) = read_pages(path, rgb="error", label=True, colours=colours)
    return page


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_colours_become_values(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    picture(mode).save(path)
    found = read(path)
    assert found.dtype == np.uint8
    assert np.array_equal(found, CLASSES)


def test_grey_values_are_colours_too(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 127, 255]], dtype=np.uint8)).save(tmp_path / "a.png")
    table = {"#000000": 0, "#7f7f7f": 1, "#ffffff": 2}
    assert read(tmp_path / "a.png", table).tolist() == [[0, 1, 2]]


def test_opacity_counts(tmp_path: Path) -> None:
    values = np.array([[[9, 9, 9, 0], [255, 0, 0, 255]]], dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert read(tmp_path / "a.png", {"#09090900": 0, "#f00000": 2, "#ff0000": 1}).tolist() == [
        [0, 1]
    ]
    with pytest.raises(SourceError, match=r"#09090900 \(1 pixels\)"):
        read(tmp_path / "a.png", {"#090909": 0, "#ff0000": 1})


def test_colours_that_are_not_listed_are_counted(tmp_path: Path) -> None:
    picture("RGB").save(tmp_path / "a.png")
    listed = r"list: #0080ff \(2 pixels\), #000000 \(2 pixels\)\n"
    with pytest.raises(SourceError, match=listed) as info:
        read(tmp_path / "a.png", {"#ff0000": 1})
    assert info.value.where == str(tmp_path / "a.png")
    assert "background" in str(info.value.hint)


def test_smoothed_edges_are_not_guessed(tmp_path: Path) -> None:
    image = picture("RGB").resize((90, 60), Image.Resampling.BILINEAR)
    image.save(tmp_path / "a.png")
    with pytest.raises(SourceError, match=r"and \d+ more"):
        read(tmp_path / "a.png")


def test_jpeg_labels_stay_refused(tmp_path: Path) -> None:
    picture("RGB").save(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match="JPEG has lost"):
        read(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("#Ff8001", (255, 128, 1, 255)),
        ("#ff800102", (255, 128, 1, 2)),
        ("255, 128, 1", (255, 128, 1, 255)),
        ("255-128-1-2", (255, 128, 1, 2)),
    ],
)
def test_ways_to_write_a_colour(text: str, colour: tuple[int, ...]) -> None:
    assert parse_colour(text) == colour


@pytest.mark.parametrize(
    "given",
    [
        {"colours": {"red": 1}},
        {"colours": {"#fff": 1}},
        {"colours": {"256,0,0": 1}},
        {"colours": {"#ff0000": 1, "255,0,0": 2}},
        {"colours": {"#ff0000": 300}},
        {"colours": {"#ff0000": 1}, "masks": "objects"},
        {"masks": "many"},
        {"rois": {"cell": []}},
    ],
)
def test_options_that_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        PngLabels(**given)
