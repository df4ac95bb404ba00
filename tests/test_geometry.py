"""When two grids count as one."""

from __future__ import annotations

import pytest
import SimpleITK as sitk

from nnplug.data.geometry import differences, same_header


def image(**changes: tuple[float, ...]) -> sitk.Image:
    made = sitk.Image([4, 5, 6], sitk.sitkInt16)
    made.SetSpacing(changes.get("spacing", (1, 2, 3)))
    made.SetOrigin(changes.get("origin", (-7, 8, 9)))
    made.SetDirection(changes.get("direction", (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    return made


def test_an_image_lies_on_its_own_grid() -> None:
    assert differences(image(), image()) == []
    assert same_header(image(), image())


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"spacing": (1, 2, 3.0011)}, "spacing (1, 2, 3.0011)"),
        ({"origin": (-7, 8.0011, 9)}, "origin (-7, 8.0011, 9)"),
        ({"direction": (-1, 0, 0, 0, -1, 0, 0, 0, 1)}, "direction (cosines up to 2 apart)"),
        ({"direction": (1, 0, 0, 0, 0.9999995, 0.001, 0, -0.001, 0.9999995)}, "direction"),
    ],
)
def test_a_difference_beyond_the_tolerance_is_put_in_words(
    changes: dict[str, tuple[float, ...]], word: str
) -> None:
    (found,) = differences(image(**changes), image())
    assert found.startswith(word)


@pytest.mark.parametrize("changes", [{"spacing": (1, 2, 3.0009)}, {"origin": (-7, 8.0009, 9)}])
def test_a_difference_within_the_tolerance_is_none(changes: dict[str, tuple[float, ...]]) -> None:
    assert differences(image(**changes), image()) == []
    assert not same_header(image(**changes), image())


def test_sizes_are_told_in_the_order_x_y_z() -> None:
    (found,) = differences(
        sitk.Image([4, 5, 6], sitk.sitkUInt8), sitk.Image([6, 5, 4], sitk.sitkUInt8)
    )
    assert found == "size (4, 5, 6) against (6, 5, 4) voxels (x, y, z)"


def test_every_difference_is_listed() -> None:
    other = image(spacing=(2, 2, 3), origin=(0, 0, 0))
    assert [text.split()[0] for text in differences(image(), other)] == ["spacing", "origin"]
