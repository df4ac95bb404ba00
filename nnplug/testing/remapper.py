"""What every label remapper has to keep: a place for each value, and nothing by accident."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from nnplug.catalog import load
from nnplug.config.build import build
from nnplug.testing.host import subject
from nnplug.types import ValueRemapper, VoxelRemapper


class RemapperContract:
    """Inherit and name the remapper, its options and the values that it is meant for.

    Attributes:
        plugin: the plugin's module.
        remapper: the name in its spec.
        options: keys below ``remap.``.
        values: label values of the source that have a place, background among them.
        labels: name to value, as in ``dataset.labels``.
        invertible: whether the source's values can be given back to predictions.
    """

    plugin: str
    remapper: str
    options: Mapping[str, Any] = {}
    values: Sequence[int] = (0, 1, 2)
    labels: Mapping[str, int] = {"background": 0, "shell": 1, "core": 2}
    invertible = False

    def _make(self) -> Any:
        catalog, mine = subject(self.plugin)
        assert mine.problem is None
        entry = catalog.remappers.get(self.remapper)
        cls = load(entry.spec, entry.owner)
        if entry.spec.options is None:
            return cls()
        return cls(build(entry.spec.options, self.options, "remap"))

    def _answers(self) -> dict[int, Any]:
        """What each value becomes, names looked up; empty for remappers of voxels."""
        made = self._make()
        if not isinstance(made, ValueRemapper):
            return {}
        return {old: self._number(made.value(old)) for old in self.values}

    def _number(self, answer: Any) -> Any:
        return self.labels.get(answer, answer) if isinstance(answer, str) else answer

    def _changed(self, label: Any) -> Any:
        made = self._make()
        assert not isinstance(made, ValueRemapper)
        return made.apply(label, (2.5, 1.25, 0.75))

    def _label(self) -> Any:
        """Blocks of every value, each with a hole and a speck; z, y, x."""
        import numpy as np

        label = np.zeros((9, 14, 9 * max(len(self.values), 1)), np.int16)
        for number, value in enumerate(self.values):
            left = 9 * number
            label[1:8, 1:8, left + 1 : left + 8] = value
            label[4, 4, left + 4] = 0
            label[4, 11, left + 4] = value
        return label

    def test_it_is_one_of_the_two_kinds(self) -> None:
        """``value`` and ``keys``, or ``apply``."""
        assert isinstance(self._make(), ValueRemapper | VoxelRemapper)

    def test_it_can_be_sent_to_a_worker(self) -> None:
        """It is made anew there from its options, which are pickled."""
        options = getattr(self._make(), "options", None)
        assert pickle.loads(pickle.dumps(options)) == options

    def test_every_value_has_a_place(self) -> None:
        """A whole number, or a label's name; not None."""
        for old, new in self._answers().items():
            assert type(new) is int, f"{old} -> {new!r}"
            assert new >= 0, f"{old} -> {new}"

    def test_results_are_consecutive(self) -> None:
        """nnU-Net wants 0, 1, 2, ... without gaps."""
        found = set(self._answers().values()) | {0}
        assert found == set(range(len(found))), sorted(found)

    def test_background_stays_background(self) -> None:
        """0 becomes 0."""
        assert self._answers().get(0, 0) == 0

    def test_its_keys_are_values_with_a_place(self) -> None:
        """nnplug tells which of them never occur."""
        made = self._make()
        if isinstance(made, ValueRemapper):
            assert all(made.value(key) is not None for key in made.keys)
            assert all(isinstance(key, int) for key in made.keys)

    def test_asking_again_gives_the_same(self) -> None:
        """In another order, and from a new one."""
        first = self._answers()
        made = self._make()
        if isinstance(made, ValueRemapper):
            assert {old: self._number(made.value(old)) for old in reversed(self.values)} == first
        else:
            assert (self._changed(self._label()) == self._changed(self._label())).all()

    def test_there_is_a_way_back(self) -> None:
        """Where the suite says so: each result comes from one value."""
        from nnplug.data import remapping

        if not self.invertible:
            return
        step = remapping.Step(self.remapper, self._make())
        back = remapping.inverse([step], self.labels, self.values)
        assert back.values is not None, back.lost
        assert {back.values[new] for new in self._answers().values()} == set(self.values)

    def test_voxels_keep_shape_and_type(self) -> None:
        """An array of integers as large as before."""
        if not self._answers():
            label = self._label()
            changed = self._changed(label)
            assert changed.shape == label.shape
            assert changed.dtype.kind in "iu"

    def test_the_label_that_it_is_given_is_left_alone(self) -> None:
        """A new array is returned."""
        if not self._answers():
            label = self._label()
            before = label.copy()
            self._changed(label)
            assert (label == before).all()

    def test_voxels_get_no_new_values(self) -> None:
        """Only what was in the label comes out."""
        if not self._answers():
            label = self._label()
            assert set(self._changed(label).ravel()) <= set(label.ravel())

    def test_an_empty_label_stays_empty(self) -> None:
        """Nothing grows out of background."""
        if not self._answers():
            assert not self._changed(self._label() * 0).any()
