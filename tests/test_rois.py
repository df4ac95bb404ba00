"""Regions by name to one label image."""

from __future__ import annotations

import numpy as np
import pytest

from nnplug.errors import SourceError
from nnplug.rois import RoiOptions, choose, paint

LABELS = {"background": 0, "GTV": 1, "lung": 2}


def test_patterns_are_synonyms_in_order_and_one_pattern_unites() -> None:
    options = RoiOptions(rois={"GTV": ["GTV_Mass*", "gtv"], "lung": ["Lung?L", "Lung?R", "*lung*"]})
    names = ["gtv", "GTV_mass_1 ", "GTV_Mass_2", "Lung_R", "whole lung"]
    assert choose(names, LABELS, options) == {"GTV": [1, 2], "lung": [3]}


def test_a_label_goes_by_its_own_name() -> None:
    assert choose(["Lung", "gtv"], LABELS, RoiOptions()) == {"GTV": [1], "lung": [0]}


def test_what_is_there_is_listed_when_nothing_matches() -> None:
    with pytest.raises(SourceError, match="no region is label 'lung'; there is: GTV, heart"):
        choose(["GTV", "heart"], LABELS, RoiOptions())
    assert choose(["GTV", "heart"], LABELS, RoiOptions(optional=["lung"])) == {"GTV": [0]}


def test_a_region_can_not_be_two_labels() -> None:
    with pytest.raises(SourceError, match="fits two labels, GTV and lung"):
        choose(["x"], LABELS, RoiOptions(rois={"GTV": ["x"], "lung": ["*"]}))


@pytest.mark.parametrize("key", ["priority", "optional"])
def test_options_name_labels_of_the_dataset(key: str) -> None:
    with pytest.raises(SourceError, match="there is no label liver"):
        choose(["GTV", "lung"], LABELS, RoiOptions(**{key: ["liver"]}))


def _masks() -> dict[str, np.ndarray]:
    gtv, lung = np.zeros((1, 4, 4), bool), np.zeros((1, 4, 4), bool)
    gtv[0, :2], lung[0, 1:] = True, True
    return {"GTV": gtv, "lung": lung}


def test_overlaps_need_a_priority_and_are_counted() -> None:
    masks = _masks()
    with pytest.raises(SourceError, match="'GTV' and 'lung' overlap in 4 voxels"):
        paint((1, 4, 4), masks.items(), LABELS, RoiOptions())
    with pytest.raises(SourceError, match=r"priority=\[GTV, lung\] \(first wins\)"):
        paint((1, 4, 4), masks.items(), LABELS, RoiOptions())
    for first, second, expected in (("GTV", "lung", 8), ("lung", "GTV", 4)):
        options = RoiOptions(priority=[first, second])
        order = choose(["GTV", "lung"], LABELS, options)
        label, notes = paint((1, 4, 4), ((n, masks[n]) for n in order), LABELS, options)
        assert np.count_nonzero(label == 1) == expected
        assert notes == {f"overlap {first} over {second}": "4 voxels"}


def test_an_empty_mask_is_refused() -> None:
    masks = {"GTV": np.ones((1, 2, 2), bool), "lung": np.zeros((1, 2, 2), bool)}
    with pytest.raises(SourceError, match="the mask of label 'lung' is empty"):
        paint((1, 2, 2), masks.items(), LABELS, RoiOptions())


def test_regions_may_be_named_by_number() -> None:
    options = RoiOptions(rois={"GTV": ["gtv", "#7"], "lung": ["#3"]})
    assert choose(["a", "b", "c"], LABELS, options, [7, 3, 1]) == {"GTV": [0], "lung": [1]}
    # A name comes before a number.
    assert choose(["gtv", "b", "#3"], LABELS, options, [9, 3, 1]) == {"GTV": [0], "lung": [2]}


def test_brackets_are_no_pattern() -> None:
    options = RoiOptions(rois={"GTV": ["GTV [1]"]}, optional=["lung"])
    assert choose(["GTV 1", "GTV [1]"], LABELS, options) == {"GTV": [1]}


def test_three_labels_overlap_in_pairs() -> None:
    masks = {name: np.zeros((1, 1, 6), bool) for name in "abc"}
    masks["a"][..., :4] = masks["b"][..., 2:5] = masks["c"][..., 3:] = True
    labels = {"background": 0, "a": 7, "b": 8, "c": 200}
    label, notes = paint((1, 1, 6), masks.items(), labels, RoiOptions(priority=["a", "b"]))
    assert label.ravel().tolist() == [7, 7, 7, 7, 8, 200]
    assert notes == {
        "overlap a over b": "2 voxels",
        "overlap a over c": "1 voxels",
        "overlap b over c": "1 voxels",
    }
