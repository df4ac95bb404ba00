"""Label values through a chain, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nnplug.data import remapping
from nnplug.data.remapping import Inverse, Step
from nnplug.errors import ConfigError, SourceError

LABELS = {"background": 0, "left": 1, "right": 2}
SPACING = (2.0, 1.0, 1.0)


@dataclass(frozen=True)
class Values:
    """A table as a remapper."""

    table: Mapping[int, int | str]
    keys: Collection[int] = frozenset()

    def value(self, old: int) -> int | str | None:
        return self.table.get(old)


@dataclass(frozen=True)
class Voxels:
    change: Callable[[Any], Any]

    def apply(self, label: Any, spacing: tuple[float, float, float]) -> Any:
        assert spacing == SPACING
        return self.change(label)


def chain(*remappers: Any) -> list[Step]:
    return [Step(f"step{number}", remapper) for number, remapper in enumerate(remappers)]


def first_plane_is_background(label: Any) -> Any:
    label = label.copy()
    label[0] = 0
    return label


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i4", "i8", ">i2", ">u4", "u8"])
@pytest.mark.parametrize("high", [9, 100, 120])
def test_every_voxel_is_looked_up_whatever_the_integer(kind: str, high: int) -> None:
    values = np.random.default_rng(0).choice([0, 5, high], (3, 4, 5)).astype(kind)
    values.flags.writeable = False
    steps = chain(Values({0: 0, 5: 300, high: -4}), Values({0: 0, 300: "left", -4: "right"}))
    got = remapping.apply(steps, values, LABELS, SPACING, {})
    np.testing.assert_array_equal(got, np.select([values == 5, values == high], [1, 2], 0))
    assert got.dtype == np.uint8


@pytest.mark.parametrize("values", [[-7, 0, 3], [0, 3, 1_000_000], [-(2**40), 0, 2**40]])
def test_values_far_apart_are_looked_up_too(values: list[int]) -> None:
    label = np.array([values, values[::-1]]).reshape(1, 2, 3)
    steps = chain(Values(dict(zip(values, [2, 0, 1], strict=True))))
    got = remapping.apply(steps, label, LABELS, SPACING, {})
    assert got.tolist() == [[[2, 0, 1], [1, 0, 2]]]


def test_a_step_on_voxels_gets_what_the_steps_before_it_made() -> None:
    label = np.array([[[7, 7]], [[7, 0]]], np.uint8)
    notes: dict[str, str] = {}
    steps = chain(
        Values({7: 1, 0: 0}), Voxels(first_plane_is_background), Values({0: 0, 1: "right"})
    )
    assert remapping.apply(steps, label, LABELS, SPACING, notes).tolist() == [[[0, 0]], [[2, 0]]]
    assert notes == {"remap step1": "0: 1 -> 3 voxels, 1: 3 -> 1 voxels"}
    assert label[0, 0, 0] == 7


def test_values_without_a_place_are_listed_with_their_voxels() -> None:
    label = np.array([[[0, 3, 3], [9, 9, 9]]])
    steps = chain(Values({0: 0, 3: 5, 9: 6}), Values({0: 0}))
    with pytest.raises(SourceError) as caught:
        remapping.apply(steps, label, LABELS, SPACING, {})
    assert "remap=step1 has no place for: 5 (2 voxels), 6 (3 voxels)" in caught.value.problem
    with pytest.raises(SourceError, match="and 89 more values"):
        remapping.apply(chain(Values({0: 0})), np.arange(100)[None], LABELS, SPACING, {})


def test_a_step_on_voxels_keeps_the_shape() -> None:
    with pytest.raises(SourceError, match="step0' changed the shape"):
        remapping.apply(
            chain(Voxels(lambda label: label[1:])), np.ones((2, 2, 2), int), LABELS, SPACING, {}
        )


def test_names_of_other_labels_are_refused_before_any_work() -> None:
    with pytest.raises(ConfigError, match="no label 'liver'"):
        remapping.check(chain(Values({4: "liver"}, keys={4})), LABELS)
    remapping.check(chain(Values({4: "left"}, keys={4}), Voxels(np.copy)), LABELS)


def test_values_that_never_reach_a_step_are_told() -> None:
    steps = chain(
        Values({0: 0, 3: 5, 4: 6, 8: 1}, keys={3, 4, 8}),
        Voxels(np.copy),
        Values({0: 0, 5: 1, 6: 2, 7: 2}, keys={5, 6, 7}),
    )
    assert remapping.never_met(steps, LABELS, {0, 3}) == {"step0": [4, 8], "step2": [6, 7]}


@pytest.mark.parametrize(
    ("table", "found", "expected"),
    [
        ({0: 0, 7: 1, 9: 2}, {0, 7, 9}, Inverse({0: 0, 1: 7, 2: 9})),
        ({0: 0, 7: 2, 9: 1}, {0, 7, 9}, Inverse({0: 0, 1: 9, 2: 7})),
        ({0: 0, 3: 0, 4: 0, 7: 1, 9: 2}, {0, 3, 4, 7, 9},
         Inverse({0: 0, 1: 7, 2: 9}, "3 and 4 became background")),
        ({0: 0, 7: 1, 8: 1, 9: 2}, {0, 7, 9}, Inverse({0: 0, 1: 7, 2: 9})),
        ({0: 0, 7: 1, 8: 1, 9: 2}, {0, 7, 8, 9}, Inverse(None, "7 and 8 were merged into 1")),
        ({3: 0, 4: 0, 7: 1, 9: 2}, {3, 4, 7, 9}, Inverse(None, "3 and 4 were merged into 0")),
        ({0: 0, 7: 1, 9: 2}, {0, 7}, Inverse({0: 0, 1: 7, 2: 9})),
        ({0: 0, 7: 1}, {0, 7}, Inverse(None, "no value of the source becomes 2")),
    ],
)  # fmt: skip
def test_the_way_back(table: dict[int, int], found: set[int], expected: Inverse) -> None:
    steps = chain(Values(table, keys=set(table)), Voxels(np.copy))
    assert remapping.inverse(steps, LABELS, found) == expected


def test_the_way_back_through_two_steps() -> None:
    steps = chain(Values({0: 0, 70: 7, 90: 9}), Values({0: 0, 7: "right", 9: "left"}))
    assert remapping.inverse(steps, LABELS, {0, 70, 90}).values == {0: 0, 1: 90, 2: 70}
