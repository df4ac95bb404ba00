"""The pictures show the planes where there is most to see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image

from nnplug.data import overlay


def picture_of(path: Path, label: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    image = sitk.GetImageFromArray(np.zeros(label.shape, np.float32))
    mask = sitk.GetImageFromArray(label.astype(np.uint8))
    for one in (image, mask):
        one.SetSpacing(spacing)
    overlay.write(image, [mask], path)
    with Image.open(path) as opened:
        return np.asarray(opened)


def test_every_plane_shows_two_separate_objects(tmp_path: Path) -> None:
    label = np.zeros((20, 20, 30), np.uint8)
    label[5:15, 5:15, 2:8] = 1
    label[5:15, 5:15, 22:28] = 2
    picture = picture_of(tmp_path / "two.png", label, (1, 1, 1))
    coloured = (picture.max(axis=2) > 0).any(axis=0)
    # Axial, coronal, sagittal: the last plane would be empty through the middle of the volume.
    thirds = np.array_split(coloured, [260, 520])
    assert all(third.any() for third in thirds)


def test_an_empty_label_still_gives_a_picture(tmp_path: Path) -> None:
    picture = picture_of(tmp_path / "empty.png", np.zeros((4, 6, 8)), (1, 2, 3))
    assert picture.ndim == 3
    assert not picture.any()


def test_pixels_have_equal_lengths(tmp_path: Path) -> None:
    label = np.ones((10, 20, 20), np.uint8)
    tall = picture_of(tmp_path / "tall.png", label, (1, 1, 4))
    flat = picture_of(tmp_path / "flat.png", label, (1, 1, 1))
    # 40 mm high and 20 mm wide: half as wide as high.
    assert tall.shape[1] == 256 + 128 + 128 + 3 * 4
    assert flat.shape[1] == 3 * (256 + 4)
