"""A quick look at one case of a source that nothing is known of yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import SimpleITK as sitk

from nnplug.data import geometry, labels
from nnplug.types import Case


@dataclass(frozen=True)
class Glance:
    """A few numbers of one case that was read.

    Attributes:
        name: the case's name in the source.
        size, spacing: of its first channel, along x, y, z.
        ranges: lowest and highest value of each channel.
        counts: voxels of each label value; empty without a label.
        reference: where the channels lie on different grids, the number of the channel whose
            grid the label has (0 without a label); None where they share one.
        problem: why it can't be read, or "".
    """

    name: str
    size: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    ranges: tuple[tuple[float, float], ...] = ()
    counts: Mapping[int, int] | None = None
    reference: int | None = None
    problem: str = ""


def glance(name: str, case: Case) -> Glance:
    """Look at a case that was read.

    Raises:
        SourceError: the label holds values that are not whole numbers.
    """
    views = [sitk.GetArrayViewFromImage(image) for image in case.images]
    return Glance(
        name,
        size=tuple(case.images[0].GetSize()),
        spacing=tuple(case.images[0].GetSpacing()),
        ranges=tuple((float(view.min()), float(view.max())) for view in views),
        counts={} if case.label is None else labels.count(labels.integers(case.label)),
        reference=_reference(case),
    )


def _reference(case: Case) -> int | None:
    first, *others = case.images
    if not any(geometry.differences(first, other) for other in others):
        return None
    if case.label is None:
        return 0
    label = case.label
    return next((i for i, im in enumerate(case.images) if not geometry.differences(im, label)), 0)
