"""The table of label values."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnplug.errors import SourceError
from nnplug.formats.itk import read_image
from nnplug_labels.options import TableOptions
from nnplug_labels.plugin import nnplug_remappers
from nnplug_labels.table import TableRemapper

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not here")


def table(**entries: int) -> TableRemapper:
    return TableRemapper(TableOptions({int(k[1:]): v for k, v in entries.items()}))


@pytest.mark.parametrize(
    "kind", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", ">i2", ">u4", "bool"]
)
def test_values_are_looked_up_whatever_the_integer(kind: str) -> None:
    label = np.array([[[0, 1], [1, 1]]], dtype=kind)
    label.flags.writeable = False
    result = table(_0=7, _1=255).apply(label)
    assert result.tolist() == [[[7, 255], [255, 255]]]
    assert result.dtype == np.uint8


def test_merge_and_drop() -> None:
    label = np.array([0, 127, 255, 3, 3], dtype=np.uint8)
    assert table(_0=0, _127=1, _255=1, _3=0).apply(label).tolist() == [0, 1, 1, 0, 0]


def test_an_empty_label_stays_empty() -> None:
    assert table(_0=0).apply(np.zeros((0, 3, 3), dtype=np.int16)).shape == (0, 3, 3)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0, 2, 2, 2, 1, 9], "2 (3 voxels), 9 (1 voxels)"),
        ([0, -1, -1], "-1 (2 voxels)"),
        ([0, 256, 1], "256 (1 voxels)"),
        ([65536], "65536 (1 voxels)"),
    ],
)
def test_values_without_entry_are_listed_with_counts(values: list[int], expected: str) -> None:
    with pytest.raises(SourceError) as info:
        table(_0=0, _1=1).apply(np.array(values, dtype=np.int32))
    assert info.value.problem == f"the table has no entry for {expected}"
    assert info.value.hint


@pytest.mark.parametrize("value", [-1, 255 + 256])
def test_values_outside_of_a_byte_do_not_wrap_around(value: int) -> None:
    with pytest.raises(SourceError, match="no entry for"):
        table(_0=0, _255=1).apply(np.array([0, value], dtype=np.int16))


def test_many_values_without_entry_are_cut_to_ten() -> None:
    with pytest.raises(SourceError, match="and 89 more values"):
        table(_0=0).apply(np.arange(100))


def test_text_of_whole_numbers_becomes_numbers() -> None:
    given: dict[Any, Any] = {"0": 0, " 255 ": "1"}
    assert TableOptions(given).table == {0: 0, 255: 1}


@pytest.mark.parametrize(
    "given",
    [
        {},
        None,
        [1, 2],
        {0: 256},
        {-1: 0},
        {"a": 0},
        {0: 0.5},
        {0: None},
        {True: 0},
        {0: 0, "0": 1},
        {"\u0663": 0},
    ],
)
def test_tables_that_are_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="table"):
        TableOptions(given)


def test_it_travels_to_workers() -> None:
    remapper = pickle.loads(pickle.dumps(table(_0=0, _5=2)))
    assert remapper.apply(np.array([5, 0])).tolist() == [2, 0]


def test_the_plugin_offers_the_table() -> None:
    (spec,) = nnplug_remappers()
    assert (spec.name, spec.target) == ("table", "nnplug_labels.table:TableRemapper")
    assert spec.options is TableOptions


@needs_data
def test_a_real_label_there_and_back() -> None:
    import SimpleITK as sitk

    path = DATA / "hippocampus" / "labels" / "hippocampus_003.nii.gz"
    label = sitk.GetArrayFromImage(read_image(path)).astype(np.uint8)
    assert set(np.unique(label).tolist()) == {0, 1, 2}
    wide = table(_0=0, _1=127, _2=255).apply(label)
    assert (wide != label).any()
    assert np.array_equal(table(_0=0, _127=1, _255=2).apply(wide), label)
