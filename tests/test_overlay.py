"""The pictures show contours in the planes through the label's centre, as a radiologist looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from nnplug.data import overlay

EDGE, GAP = overlay.EDGE_PIXELS, overlay.GAP_PIXELS


def picture_of(
    path: Path, label: Any, spacing: tuple[float, float, float] = (1, 1, 1), orient: str = "LPS"
) -> Any:
    image = sitk.GetImageFromArray(np.zeros(label.shape, np.float32))
    mask = sitk.GetImageFromArray(label.astype(np.uint8))
    for one in (image, mask):
        one.SetSpacing(spacing)
    overlay.write(sitk.DICOMOrient(image, orient), [sitk.DICOMOrient(mask, orient)], path)
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def coloured(picture: Any) -> list[Any]:
    """Where the three planes of a cube have colour."""
    where = picture.max(axis=2) > 0
    return [where[:EDGE, at : at + EDGE] for at in (0, EDGE + GAP, 2 * (EDGE + GAP))]


def test_a_box_is_outlined_in_all_planes(tmp_path: Path) -> None:
    label = np.zeros((32, 32, 32), np.uint8)
    label[8:16, 12:20, 4:20] = 1
    scale = EDGE // 32
    for plane, (rows, columns) in zip(
        coloured(picture_of(tmp_path / "box.png", label)),
        # Axial: back and left; coronal and sagittal: the head is on top.
        (((12, 20), (4, 20)), ((32 - 16, 32 - 8), (4, 20)), ((32 - 16, 32 - 8), (12, 20))),
        strict=True,
    ):
        box = np.zeros((EDGE, EDGE), bool)
        (top, bottom), (left, right) = (np.array(ends) * scale for ends in (rows, columns))
        box[top:bottom, left:right] = True
        box[top + 1 : bottom - 1, left + 1 : right - 1] = False
        np.testing.assert_array_equal(plane, box)


def test_each_value_has_its_colour(tmp_path: Path) -> None:
    label = np.zeros((8, 8, 8), np.uint8)
    label[2:6, 2:6, 2:4] = 1
    label[2:6, 2:6, 4:6] = 2
    picture = picture_of(tmp_path / "two.png", label)
    colours = {tuple(pixel) for pixel in picture.reshape(-1, 3)} - {(0, 0, 0)}
    assert colours == {tuple(overlay.COLOURS[0]), tuple(overlay.COLOURS[1])}


@pytest.mark.parametrize("orient", ["RAS", "PIR", "ASL"])
def test_the_stored_order_of_axes_does_not_show(tmp_path: Path, orient: str) -> None:
    label = np.zeros((10, 14, 18), np.uint8)
    label[2:5, 3:9, 4:16] = 1
    expected = picture_of(tmp_path / "a.png", label, (1, 2, 3))
    np.testing.assert_array_equal(
        picture_of(tmp_path / "b.png", label, (1, 2, 3), orient), expected
    )


def test_planes_that_miss_the_label_are_moved_to_it(tmp_path: Path) -> None:
    label = np.zeros((20, 20, 20), np.uint8)
    label[5:15, 5:15, 2:6] = 1
    label[5:15, 5:15, 14:18] = 2
    # The mean lies between the two.
    assert all(plane.any() for plane in coloured(picture_of(tmp_path / "two.png", label)))


def test_an_empty_label_and_none_still_give_a_picture(tmp_path: Path) -> None:
    empty = picture_of(tmp_path / "empty.png", np.zeros((4, 6, 8)), (1, 2, 3))
    assert empty.ndim == 3
    assert not empty.any()
    overlay.write(sitk.Image([8, 6, 4], sitk.sitkInt16), [], tmp_path / "none.png")
    assert (tmp_path / "none.png").stat().st_size > 0


def test_pixels_have_equal_lengths(tmp_path: Path) -> None:
    label = np.ones((10, 20, 20), np.uint8)
    tall = picture_of(tmp_path / "tall.png", label, (1, 1, 4))
    flat = picture_of(tmp_path / "flat.png", label, (1, 1, 1))
    # 40 mm high and 20 mm wide: half as wide as high.
    assert tall.shape[1] == EDGE + EDGE // 2 + EDGE // 2 + 3 * GAP
    assert flat.shape[1] == 3 * (EDGE + GAP)


def test_a_single_slice_is_shown_alone(tmp_path: Path) -> None:
    picture = picture_of(tmp_path / "slice.png", np.ones((1, 20, 20)), (1, 1, 999))
    assert picture.shape[1] == EDGE + GAP
