"""A dataset file for a source, drafted from what was seen of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from nnplug.data.glance import Glance
from nnplug.types import CaseSource, Survey

AIR_HU = -900
SHOWN = 3
YAML_WORDS = ("true", "false", "yes", "no", "on", "off", "y", "n", "null")


@dataclass(frozen=True)
class Draft:
    """What was seen of a source, and the dataset file that follows from it.

    Attributes:
        name, task_id: of the new task.
        source: the folder, absolute.
        converter: the converter's name.
        survey: what the converter says of the source.
        cases: all of them, as the converter found them.
        glances: those that were read.
        spacing_is_needed: the format doesn't store the spacing.
        can_remap: the remapper ``table`` is installed.
    """

    name: str
    task_id: int
    source: Path
    converter: str
    survey: Survey
    cases: tuple[CaseSource, ...]
    glances: tuple[Glance, ...]
    spacing_is_needed: bool = False
    can_remap: bool = True

    def summary(self) -> Iterator[str]:
        """Lines about what was seen; no name of a patient is in them."""
        subjects = {case.subject or case.name for case in self.cases}
        held_out = sum(case.split == "test" for case in self.cases)
        line = f"{len(self.cases)} cases of {len(subjects)} subjects"
        yield line + (f", {held_out} of them for test" if held_out else "")
        yield f"{len(self._read)} cases were read:"
        for name, values in (("size (voxels)", "size"), ("spacing (mm)", "spacing")):
            if values == "size" or not self.spacing_is_needed:
                axes = zip(*(getattr(glance, values) for glance in self._read), strict=True)
                parts = (f"{axis} {_range(v)}" for axis, v in zip("xyz", axes, strict=True))
                yield f"  {name}: {', '.join(parts)}"
        for value, (voxels, cases) in sorted(self._values.items()):
            yield f"  label value {value}: {voxels} voxels in {cases} cases"

    def to_do(self) -> Iterator[str]:
        """What the user has to see to before going on."""
        if self.spacing_is_needed:
            yield "the files don't store the spacing: fill in converter.spacing"
        if self._table and not self.can_remap:
            yield "the label values have gaps: install nnplug-labels for remap=table"

    def failures(self) -> Iterator[str]:
        """The cases that can't be read; these lines name cases, so they are for the screen only."""
        failed = [glance for glance in self.glances if glance.problem]
        for glance in failed[:SHOWN]:
            yield f"case {glance.name} can't be read: {glance.problem}"
        if len(failed) > SHOWN:
            yield f"{len(failed) - SHOWN} more can't be read"
        if failed:
            yield "mend these cases, or leave them out with convert.on_error=skip"

    def yaml(self) -> str:
        """The dataset file, with comments."""
        return "\n".join([*self._head(), *self._dataset(), *self._tools()]) + "\n"

    @property
    def _read(self) -> list[Glance]:
        return [glance for glance in self.glances if not glance.problem]

    @cached_property
    def _values(self) -> dict[int, tuple[int, int]]:
        """Label value to voxels and cases."""
        voxels: Counter[int] = Counter()
        cases: Counter[int] = Counter()
        for glance in self._read:
            voxels.update(glance.counts or {})
            cases.update(list(glance.counts or ()))
        return {value: (voxels[value], cases[value]) for value in voxels}

    @property
    def _labels(self) -> dict[str, int]:
        """Label name to value in the source, the background first."""
        named = {value: name for name, value in self.survey.labels.items()}
        values = sorted({0, *named, *self._values}, key=lambda value: (value != 0, value))
        return {
            named.get(value, f"label_{value}" if value else "background"): value for value in values
        }

    @property
    def _table(self) -> dict[int, int]:
        """Source value to dataset value; empty where they are the same."""
        table = {old: new for new, old in enumerate(self._labels.values())}
        return {} if all(old == new for old, new in table.items()) else table

    def _head(self) -> Iterator[str]:
        yield "# @package _global_"
        yield f"# Drafted by nnplug init; look it over, then: nnplug train dataset={self.name}"
        yield "#"
        yield from (f"# {line}" for line in self.summary())
        yield from (f"# TO DO: {line}" for line in self.to_do())
        yield "defaults:"
        yield f"  - override /converter: {self.converter}"
        if self._table and self.can_remap:
            yield "  - override /remap: table"
        yield "  - _self_"
        yield ""

    @property
    def _reference(self) -> str | None:
        """The channel that all are to be resampled onto, where their grids differ."""
        chosen = Counter(glance.reference for glance in self._read if glance.reference is not None)
        return self.survey.channels[chosen.most_common(1)[0][0]] if chosen else None

    def _dataset(self) -> Iterator[str]:
        yield "dataset:"
        yield f"  name: {self.name}"
        yield f"  task_id: {self.task_id}"
        yield f"  source: {_flow(str(self.source))}"
        yield "  channels:" + self._channel_comment()
        for number, name in self.survey.channels.items():
            yield f"    {number}: {_word(name)}"
        if self.survey.unlabelled:
            yield "  unlabelled: true     # images alone: to be predicted, not trained on"
        else:
            yield "  labels:"
            for name, value in self._labels.items():
                yield f"    {_word(name)}: {self._table.get(value, value)}"
        yield from self._subject()
        if not any(case.split == "test" for case in self.cases) and not self.survey.unlabelled:
            yield "  test_fraction: 0.0   # the part of the subjects that is held out"
        yield ""

    def _channel_comment(self) -> str:
        lows = [low for glance in self._read for low, _ in glance.ranges[:1]]
        if "CT" not in self.survey.channels.values() and lows and median(lows) <= AIR_HU:
            return "   # if 0 holds Hounsfield units call it CT: nnU-Net then normalises it as such"
        return ""

    def _subject(self) -> Iterator[str]:
        """Case names such as ``p07_scan2`` make their first part the likely subject."""
        if any(case.subject and case.subject != case.name for case in self.cases):
            return
        firsts = [re.split(r"[_-]", case.name)[0] for case in self.cases]
        if 1 < len(set(firsts)) < len(firsts):
            yield "  # Are cases whose names begin alike of one subject? Folds must not part them:"
            yield "  # subject: '^([^_-]+)'"

    def _tools(self) -> Iterator[str]:
        options = {key: value for key, value in self.survey.options.items() if value is not None}
        if self._reference is not None:
            yield "convert:"
            yield f"  reference: {_word(self._reference)}  # the channels lie on different grids"
        if options or self.spacing_is_needed:
            yield "converter:"
        if self.spacing_is_needed:
            yield "  spacing: ???          # FILL IN: [x, y, z] in mm; the files don't store it"
        for key, value in options.items():
            yield f"  {key}: {_flow(value)}"
        if self._table and self.can_remap:
            yield "remap:"
            yield "  table:               # value in the source: value in the dataset"
            for old, new in self._table.items():
                yield f"    {old}: {new}"


def _range(values: Any) -> str:
    low, middle, high = (f"{value:.4g}" for value in (min(values), median(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def _word(text: str) -> str:
    """Quoted unless it is surely read as a text."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) and text.lower() not in YAML_WORDS
    return text if plain else _flow(text)


def _flow(value: Any) -> str:
    """A value in YAML's flow style, which JSON is a part of; ``${`` is no interpolation."""
    return json.dumps(value, ensure_ascii=False, default=list).replace("${", "\\\\${")
