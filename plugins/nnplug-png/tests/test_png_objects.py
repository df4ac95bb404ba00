"""Labels that are folders with the mask of one object an entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image

from nnplug.errors import SourceError
from nnplug.types import Source
from nnplug_png.converter import PngConverter
from nnplug_png.options import PngLabels, PngOptions
from nnplug_png.survey import survey

IMAGE = np.arange(3 * 8 * 9, dtype=np.uint8).reshape(3, 8, 9)
CELLS = {"background": 0, "cell": 1}


def save(path: Path, values: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def box(y: slice, x: slice, value: int = 255) -> NDArray[np.uint8]:
    values = np.zeros((8, 9), np.uint8)
    values[y, x] = value
    return values


A, B = box(slice(0, 3), slice(0, 3)), box(slice(5, 8), slice(4, 9), 1)


def convert(
    root: Path, masks: Any = "objects", labels: dict[str, int] = CELLS, **rois: Any
) -> tuple[NDArray[Any], dict[str, str]]:
    options = PngOptions(spacing=(1, 1, 1), labels=PngLabels(masks=masks, **rois))
    converter = PngConverter(options)
    (source,) = converter.discover(Source(root, labels=labels))
    case = converter.read(source)
    assert case.label is not None
    assert case.label.GetSize() == case.images[0].GetSize()
    return np.asarray(sitk.GetArrayFromImage(case.label)), dict(case.provenance)


def flat(root: Path) -> Path:
    save(root / "images" / "c1.png", IMAGE[0])
    save(root / "masks" / "c1" / "0.png", A)
    save(root / "masks" / "c1" / "17.png", B)
    return root


def test_all_objects_are_the_only_label(tmp_path: Path) -> None:
    found, notes = convert(flat(tmp_path))
    assert np.array_equal(found[0], (A > 0) | (B > 0))
    assert notes["objects"] == "2"


def test_folders_a_case_with_image_and_masks_inside(tmp_path: Path) -> None:
    """The layout of the 2018 Data Science Bowl."""
    save(tmp_path / "a1b2" / "images" / "a1b2.png", IMAGE[0])
    for number, mask in enumerate((A, B)):
        save(tmp_path / "a1b2" / "masks" / f"{number}f0c.png", mask)
    assert np.array_equal(convert(tmp_path)[0][0], (A > 0) | (B > 0))


def test_classes_by_the_names_of_files_and_folders(tmp_path: Path) -> None:
    labels = {"background": 0, "nucleus": 1, "membrane": 2}
    save(tmp_path / "images" / "c1.png", IMAGE[0])
    save(tmp_path / "masks" / "c1" / "nuc" / "1.png", A)
    save(tmp_path / "masks" / "c1" / "membrane_2.png", B)
    rois = {"nucleus": ["nuc/*"], "membrane": ["membrane*"]}
    found, _ = convert(tmp_path, labels=labels, rois=rois)
    assert np.array_equal(found[0], np.where(A, 1, np.where(B, 2, 0)))
    with pytest.raises(
        SourceError, match="no region is label 'nucleus'; there is: membrane_2, nuc/1"
    ):
        convert(tmp_path, labels=labels)


def test_objects_of_a_volume_are_stacks(tmp_path: Path) -> None:
    for number, page in enumerate(IMAGE, 1):
        save(tmp_path / "images" / "c1" / f"slice_{number}.png", page)
        save(tmp_path / "masks" / "c1" / "liver" / f"m{number}.png", A if number > 1 else A * 0)
        save(tmp_path / "masks" / "c1" / "spleen" / f"m{number}.png", B)
    found, _ = convert(tmp_path, labels={"background": 0, "liver": 2, "spleen": 1})
    assert np.array_equal(found == 2, np.stack([A * 0, A, A]) > 0)
    assert np.array_equal(found == 1, np.stack([B, B, B]) > 0)
    (tmp_path / "masks" / "c1" / "liver" / "m3.png").rename(
        tmp_path / "masks" / "c1" / "liver" / "m0.png"
    )
    with pytest.raises(SourceError, match="different slices"):
        convert(tmp_path, labels={"background": 0, "liver": 2, "spleen": 1})


def test_objects_of_slices_are_in_folders_of_the_slices_numbers(tmp_path: Path) -> None:
    for number, page in enumerate(IMAGE, 1):
        save(tmp_path / "images" / "c1" / f"slice_{number}.png", page)
    save(tmp_path / "masks" / "c1" / "slice_3" / "a.png", A)
    save(tmp_path / "masks" / "c1" / "slice_3" / "b.png", B)
    save(tmp_path / "masks" / "c1" / "slice_1" / "a.png", B)
    found, _ = convert(tmp_path, "slice_objects")
    assert np.array_equal(found, np.stack([B, B * 0, A + B]) > 0)
    save(tmp_path / "masks" / "c1" / "slice_9" / "a.png", B)
    with pytest.raises(SourceError, match="no slice 9"):
        convert(tmp_path, "slice_objects")


def test_overlapping_classes_need_a_priority(tmp_path: Path) -> None:
    labels = {"background": 0, "a": 1, "b": 2}
    save(tmp_path / "images" / "c1.png", IMAGE[0])
    save(tmp_path / "masks" / "c1" / "a.png", A)
    save(tmp_path / "masks" / "c1" / "b.png", A | (B * 255))
    with pytest.raises(SourceError, match="'a' and 'b' overlap in 9 voxels"):
        convert(tmp_path, labels=labels)
    found, notes = convert(tmp_path, labels=labels, priority=["b"])
    assert notes["overlap b over a"] == "9 voxels"
    assert not (found == 1).any()


@pytest.mark.parametrize(
    ("mask", "problem"),
    [
        (np.zeros((8, 9), np.uint8), "is empty"),
        (A + B, r"has the values \[0, 1, 255\]"),
        (A[:, :-1], "(1, 8, 8) voxels"),
        (np.stack([A, A, B], axis=-1), "colour label"),
    ],
)
def test_masks_that_are_refused(tmp_path: Path, mask: NDArray[Any], problem: str) -> None:
    save(flat(tmp_path) / "masks" / "c1" / "5.png", mask)
    with pytest.raises(SourceError) as info:
        convert(tmp_path)
    assert problem.replace("\\", "") in info.value.problem
    assert str(info.value.where).endswith("5.png")


def test_the_survey_finds_objects(tmp_path: Path) -> None:
    seen = survey(flat(tmp_path))
    assert seen.options == {"spacing": None, "labels": {"masks": "objects"}}
    assert seen.labels == {"background": 0, "object": 1}
    assert [(f.path, f.kind, f.use) for f in seen.found] == [
        ("images/c1.png", "image", ("image",)),
        ("masks/c1", "label", ("label",)),
    ]
    assert not seen.unlabelled


def test_the_survey_suggests_colour_channels(tmp_path: Path) -> None:
    save(tmp_path / "images" / "c1.png", np.stack([IMAGE[0]] * 3, axis=-1))
    save(tmp_path / "labels" / "c1.png", A)
    seen = survey(tmp_path)
    assert seen.channels == {0: "red", 1: "green", 2: "blue"}
    assert seen.options == {"spacing": None, "rgb": "split"}
    assert seen.found[0].size == (9, 8, 1)
