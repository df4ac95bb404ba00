"""Named regions (ROIs of an RTSTRUCT, segments of a SEG, layers of a .seg.nrrd) to one label.

For converters of any format: :class:`RoiOptions` are the keys that they share,
:func:`choose` finds the regions of each label by name, :func:`paint` lays their masks into one
image and counts what overlaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from nnplug.errors import SourceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class RoiOptions:
    """Keys below ``converter.labels.`` of formats whose regions carry names.

    Attributes:
        rois: label name to the names or patterns (``*``, ``?``) of its regions; the first of
            them that matches any region of a case decides, so that later ones serve as
            synonyms. ``#3`` is the region with that number, in formats that number them. A
            label that is not listed goes by its own name. Letter case and spaces at the ends
            don't count.
        priority: label names, first wins: who gets the voxels that several labels claim.
            Without it overlaps are refused.
        optional: labels that may be absent from a case.
    """

    rois: Mapping[str, list[str]] = field(default_factory=dict)
    priority: list[str] = field(default_factory=list)
    optional: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        empty = [label for label, patterns in self.rois.items() if not patterns]
        if empty:
            raise ValueError(f"rois has no pattern for {', '.join(empty)}")
        if len(set(self.priority)) < len(self.priority):
            raise ValueError(f"priority names a label twice: {self.priority}")


def choose(
    names: Sequence[str],
    labels: Mapping[str, int],
    options: RoiOptions,
    numbers: Sequence[int] = (),
) -> dict[str, list[int]]:
    """Find the regions of each label of the dataset.

    Args:
        names: what the regions of one case are called.
        labels: label name to value; 0 is the background and has no region.
        options: how labels and regions are matched.
        numbers: the number of each region where the format has numbers.

    Returns:
        Label name to indices into ``names``, highest priority first; several regions that one
        pattern matches are united. Labels in ``options.optional`` may be missing.

    Raises:
        SourceError: a label has no region (the error lists what is there), a region fits two
            labels, or ``options`` names a label that the dataset doesn't have.
    """
    wanted = [name for name, value in labels.items() if value != 0]
    for key in ("rois", "priority", "optional"):
        unknown = [name for name in getattr(options, key) if name not in wanted]
        if unknown:
            raise SourceError(
                f"there is no label {', '.join(unknown)}",
                where=f"converter.labels.{key}",
                hint=f"dataset.labels has {', '.join(wanted)}",
            )
    chosen: dict[str, list[int]] = {}
    for label in sorted(wanted, key=lambda name: _rank(name, options.priority)):
        found = _matching(names, numbers, options.rois.get(label, [label]))
        if found:
            chosen[label] = found
        elif label not in options.optional:
            raise SourceError(
                f"no region is label {label!r}; there is: {', '.join(names) or 'none'}",
                hint=f"name it: converter.labels.rois={{{label}: [PATTERN, ...]}}, or allow its "
                f"absence: converter.labels.optional=[{label}]",
            )
    owner: dict[int, str] = {}
    for label, indices in chosen.items():
        for index in indices:
            if index in owner:
                raise SourceError(
                    f"the region {names[index]!r} fits two labels, {owner[index]} and {label}",
                    hint="make the patterns in converter.labels.rois narrower",
                )
            owner[index] = label
    return chosen


def paint(
    shape: Sequence[int],
    masks: Iterable[tuple[str, NDArray[np.bool_]]],
    labels: Mapping[str, int],
    options: RoiOptions,
) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """Lay masks into one label image.

    Args:
        shape: of the label array (z, y, x).
        masks: label name and its mask of that shape, in the order of :func:`choose`; may be a
            generator, so that only one mask is in memory.
        labels: label name to value.
        options: who wins where masks overlap.

    Returns:
        The label (uint8; z, y, x), and notes for the manifest: voxels of each overlap.

    Raises:
        SourceError: a mask is empty, or masks overlap and no priority says who wins.
    """
    import numpy as np

    label = np.zeros(tuple(shape), np.uint8)
    notes: dict[str, str] = {}
    painted: list[str] = []
    for name, mask in masks:
        if not mask.any():
            raise SourceError(
                f"the mask of label {name!r} is empty on this image",
                hint="was it drawn on another image? converter.labels.optional allows the "
                "absence of a region, not an empty one",
            )
        before = label[mask]
        shared = np.bincount(before, minlength=256)
        for other in painted:
            count = int(shared[labels[other]])
            if count and other not in options.priority:
                order = ", ".join([*options.priority, other, name])
                raise SourceError(
                    f"the labels {other!r} and {name!r} overlap in {count} voxels",
                    hint=f"say who gets them: converter.labels.priority=[{order}] (first wins)",
                )
            if count:
                notes[f"overlap {other} over {name}"] = f"{count} voxels"
        label[mask] = np.where(before == 0, labels[name], before)
        painted.append(name)
    return label, notes


def _rank(name: str, priority: Sequence[str]) -> int:
    return priority.index(name) if name in priority else len(priority)


def _matching(names: Sequence[str], numbers: Sequence[int], patterns: Sequence[str]) -> list[int]:
    for pattern in patterns:
        folded = pattern.strip().casefold().replace("[", "[[]")
        found = [i for i, name in enumerate(names) if fnmatchcase(name.strip().casefold(), folded)]
        found = found or [i for i, number in enumerate(numbers) if folded == f"#{number}"]
        if found:
            return found
    return []
