"""Stacks of slices, from the source to volumes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from nnplug.errors import SourceError
from nnplug.formats.itk import read_image
from nnplug.types import Case, Layout, Source
from nnplug_png.converter import PngConverter
from nnplug_png.numbering import numbered
from nnplug_png.options import PngOptions
from nnplug_png.plugin import nnplug_converters, nnplug_detect

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not here")
OPTIONS = PngOptions(spacing=(0.5, 0.75, 3.0))
VALUES = np.random.default_rng(3).integers(0, 256, (12, 5, 6)).astype(np.uint8)


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def stack(folder: Path, values: np.ndarray, name: str = "slice_{}.png", start: int = 1) -> None:
    for number, page in enumerate(values, start):
        save(folder / name.format(number), page)


def labelled(root: Path, case: str = "c1") -> Path:
    stack(root / "images" / case, VALUES)
    stack(root / "labels" / case, VALUES // 128, "mask{}.png")
    return root


def convert(root: Path, options: PngOptions = OPTIONS, **source: Any) -> dict[str, Case]:
    converter = PngConverter(options)
    cases = pickle.loads(pickle.dumps(converter.discover(Source(root, **source))))
    return {case.name: converter.read(case) for case in cases}


def array(image: sitk.Image | None) -> np.ndarray:
    assert image is not None
    return np.asarray(sitk.GetArrayFromImage(image))


def test_slices_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    case = convert(labelled(tmp_path))["c1"]
    assert np.array_equal(array(case.images[0]), VALUES)
    assert np.array_equal(array(case.label), VALUES // 128)
    assert case.images[0].GetSpacing() == (0.5, 0.75, 3.0)
    assert case.images[0].GetOrigin() == (0, 0, 0)
    assert case.images[0].GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert case.images[0].GetPixelID() == sitk.sitkUInt8


def test_sixteen_bits_and_an_origin(tmp_path: Path) -> None:
    wide = VALUES.astype(np.uint16) * 257
    stack(tmp_path / "images" / "a", wide)
    options = PngOptions(spacing=(1, 1, 1), origin=(1, 2, 3))
    case = convert(tmp_path, options, unlabelled=True)["a"]
    assert case.images[0].GetPixelID() == sitk.sitkUInt16
    assert case.images[0].GetOrigin() == (1, 2, 3)
    assert np.array_equal(array(case.images[0]), wide)


def test_pages_of_a_tiff_are_slices(tmp_path: Path) -> None:
    for folder, values in (("images", VALUES), ("labels", VALUES // 128)):
        (tmp_path / folder).mkdir()
        first, *rest = (Image.fromarray(v) for v in values)
        first.save(tmp_path / folder / "a.tif", save_all=True, append_images=rest)
    case = convert(tmp_path)["a"]
    assert np.array_equal(array(case.images[0]), VALUES)
    assert np.array_equal(array(case.label), VALUES // 128)


def test_single_files_are_one_slice(tmp_path: Path) -> None:
    for number in (1, 2):
        save(tmp_path / "images" / f"p{number}.png", VALUES[number])
        save(tmp_path / "labels" / f"p{number}.png", VALUES[number] // 128)
    cases = convert(tmp_path)
    assert list(cases) == ["p1", "p2"]
    assert np.array_equal(array(cases["p2"].images[0]), VALUES[2:3])


def test_one_folder_a_case(tmp_path: Path) -> None:
    stack(tmp_path / "stacks" / "c1" / "image", VALUES)
    stack(tmp_path / "stacks" / "c1" / "label", VALUES // 128)
    save(tmp_path / "files" / "c1" / "image.png", VALUES[0])
    save(tmp_path / "files" / "c1" / "mask.png", VALUES[0] // 128)
    assert np.array_equal(array(convert(tmp_path / "stacks")["c1"].images[0]), VALUES)
    assert np.array_equal(array(convert(tmp_path / "files")["c1"].label)[0], VALUES[0] // 128)


def test_unlabelled_stacks_and_patterns(tmp_path: Path) -> None:
    stack(tmp_path / "c1", VALUES)
    stack(tmp_path / "c2", VALUES)
    assert list(convert(tmp_path, unlabelled=True)) == ["c1", "c2"]
    layout = Layout(("{case}",))
    assert list(convert(tmp_path, unlabelled=True, layout=layout)) == ["c1", "c2"]
    layout = Layout(("{case}/slice_4.png",))
    one = convert(tmp_path, unlabelled=True, layout=layout)["c1"]
    assert np.array_equal(array(one.images[0])[0], VALUES[3])


def test_a_flat_folder_could_be_either(tmp_path: Path) -> None:
    stack(tmp_path, VALUES)
    with pytest.raises(SourceError, match="one stack or as many cases"):
        convert(tmp_path, unlabelled=True)
    layout = Layout(("{case}.png",))
    assert len(convert(tmp_path, unlabelled=True, layout=layout)) == 12


def test_stacks_beside_files_are_refused(tmp_path: Path) -> None:
    labelled(tmp_path)
    save(tmp_path / "images" / "c2.png", VALUES[0])
    with pytest.raises(SourceError, match=r"c1.*c2\.png"):
        convert(tmp_path)


def test_spacing_has_to_be_given(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"converter\.spacing=\[x,y,z\]"):
        convert(labelled(tmp_path), PngOptions())


@pytest.mark.parametrize("number", [1, 5, 12])
@pytest.mark.parametrize("folder", ["images", "labels"])
def test_a_missing_slice_is_named_or_noticed(tmp_path: Path, folder: str, number: int) -> None:
    labelled(tmp_path)
    name = "slice_{}.png" if folder == "images" else "mask{}.png"
    (tmp_path / folder / "c1" / name.format(number)).unlink()
    expected = f"slices are missing: {number}" if number < 12 else "different slices"
    with pytest.raises(SourceError, match=expected):
        convert(tmp_path)


def test_repeated_numbers(tmp_path: Path) -> None:
    labelled(tmp_path)
    save(tmp_path / "images" / "c1" / "slice_01.png", VALUES[0])
    with pytest.raises(SourceError, match=r"slice 1: slice_01\.png, slice_1\.png"):
        convert(tmp_path)


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (np.zeros((5, 7), dtype=np.uint8), "7 x 5 uint8"),
        (np.zeros((5, 6), dtype=np.uint16), "6 x 5 uint16"),
        (np.zeros((5, 6, 3), dtype=np.uint8), "colour image"),
    ],
)
def test_slices_unlike_the_others(tmp_path: Path, other: np.ndarray, problem: str) -> None:
    labelled(tmp_path)
    save(tmp_path / "images" / "c1" / "slice_7.png", other)
    with pytest.raises(SourceError, match=problem) as info:
        convert(tmp_path)
    assert info.value.where is not None
    assert info.value.where.endswith("slice_7.png")


def test_colour_in_three_channels(tmp_path: Path) -> None:
    colour = np.stack([VALUES, VALUES // 2, 255 - VALUES], axis=-1)
    stack(tmp_path / "images" / "a", colour)
    options = PngOptions(spacing=(1, 1, 1), rgb="split")
    channels = {0: "red", 1: "green", 2: "blue"}
    case = convert(tmp_path, options, unlabelled=True, channels=channels)["a"]
    for number, image in enumerate(case.images):
        assert np.array_equal(array(image), colour[..., number])
    with pytest.raises(SourceError, match="three channels, the dataset has 1"):
        convert(tmp_path, options, unlabelled=True)
    stack(tmp_path / "images" / "a", VALUES)
    with pytest.raises(SourceError, match="no colour image"):
        convert(tmp_path, options, unlabelled=True, channels=channels)


def names(*given: str) -> list[Path]:
    return [Path(f"{name}.png") for name in given]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["s_10", "s_2", "s_1", *(f"s_{n}" for n in range(3, 10))], list(range(1, 11))),
        (["0", "1", "2"], [0, 1, 2]),
        (["p7_s001_of_3", "p7_s002_of_3", "p7_s003_of_3"], [1, 2, 3]),
        (["t9_1", "t5_2"], [1, 2]),
        (["p12"], [12]),
        (["mask"], [0]),
    ],
)
def test_which_number_counts(given: list[str], expected: list[int]) -> None:
    assert list(numbered(names(*given), "c")) == expected


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["s_1", "s_2", "s_5", "s_7"], "missing: 3, 4, 6"),
        (["s_3", "s_4"], "missing: 1, 2"),
        (["s_1", "s_99999999999999999999"], "missing: 2, 3.* and 99999999999999999987 more"),
        (["s_1", "t_2"], "more than a number"),
        (["a1_5", "a2_5", "a2_05"], "slice 2"),
    ],
)
def test_numbers_that_are_refused(given: list[str], problem: str) -> None:
    with pytest.raises(SourceError, match=problem):
        numbered(names(*given), "c")


@pytest.mark.parametrize(
    "given",
    [
        {"spacing": [1]},
        {"spacing": [1, -1]},
        {"spacing": [1, 0, 1]},
        {"spacing": [1, 1, float("inf")]},
        {"spacing": "111"},
        {"spacing": [1, 1, True]},
        {"origin": [0, float("nan"), 0]},
        {"rgb": "grey"},
    ],
)
def test_options_that_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        PngOptions(**given)


def test_options_take_lists() -> None:
    given: dict[str, Any] = {"spacing": [1, 2, 3.5]}
    assert PngOptions(**given).spacing == (1.0, 2.0, 3.5)


def test_the_plugin_offers_and_detects(tmp_path: Path) -> None:
    (spec,) = nnplug_converters()
    assert (spec.name, spec.target) == ("png", "nnplug_png.converter:PngConverter")
    assert spec.options is PngOptions
    assert list(nnplug_detect(tmp_path)) == []
    assert list(nnplug_detect(labelled(tmp_path))) == ["png"]


@needs_data
def test_hippocampus_equals_its_nifti() -> None:
    """The stacks hold the NIfTI's arrays (z, y, x) plane by plane."""
    cases = convert(DATA / "hippocampus_png", PngOptions(spacing=(1, 1, 1)))
    assert len(cases) == 24
    lookup = np.zeros(256, dtype=np.uint8)
    lookup[[127, 255]] = 1, 2
    kept = 0
    for name, case in cases.items():
        image = array(read_image(DATA / "hippocampus" / "images" / f"{name}.nii.gz"))
        label = array(read_image(DATA / "hippocampus" / "labels" / f"{name}.nii.gz"))
        assert np.array_equal(lookup[array(case.label)], label)
        assert set(np.unique(array(case.label)).tolist()) <= {0, 127, 255}
        assert case.images[0].GetSize() == image.shape[::-1]
        if image.dtype == np.uint8:
            kept += 1
            assert np.array_equal(array(case.images[0]), image)
    assert kept > 0
