"""One case looked at: what is wrong with it, and what to compare it with others by."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from nnplug.data import geometry, labels, measures
from nnplug.data.measures import Measures
from nnplug.data.problems import Problem
from nnplug.errors import NnplugError
from nnplug.types import Split

REPAIR = "check.repair=header writes the image's header over it; no voxel is changed"


@dataclass(frozen=True)
class Seen:
    """A case after a look at its voxels. Crosses process borders.

    Attributes:
        name: the case.
        split: train or test.
        problems: what is wrong with it.
        measures: None where it could not be measured.
        contents: a hash of each channel's voxels.
        label_content: the same of the label, or "".
        values: label values that occur.
    """

    name: str
    split: Split
    problems: tuple[Problem, ...] = ()
    measures: Measures | None = None
    contents: tuple[str, ...] = ()
    label_content: str = ""
    values: frozenset[int] = frozenset()


def look(
    name: str,
    split: Split,
    images: Sequence[sitk.Image],
    label: sitk.Image | None,
    declared: Collection[int],
    files: Sequence[str] = (),
) -> Seen:
    """Look at one case.

    Args:
        name: what it is called in the findings.
        split: train or test.
        images: the channels.
        label: the label image, or None.
        declared: the label values that the dataset knows.
        files: what to call images and label in the findings, in that order.
    """
    called = list(files) or [f"channel {number}" for number in range(len(images))] + ["label"]
    found = [p for image, file in zip(images, called, strict=False) for p in _image(image, file)]
    others = [*images[1:], *([label] if label is not None else [])]
    for other, file in zip(others, called[1:], strict=False):
        found += _grid(images[0], other, file)
    whole = None
    values: frozenset[int] = frozenset()
    if label is not None:
        try:
            whole = _whole(label)
            values = frozenset(labels.count(sitk.GetArrayViewFromImage(whole)))
        except NnplugError as error:
            found.append(Problem("label values", error.problem, file=called[len(images)]))
        else:
            found += _label(label, values, declared, called[len(images)])
    broken = any(p.kind in ("grid", "not finite", "label values") for p in found)
    return Seen(
        name,
        split,
        tuple(replace(problem, case=name) for problem in found),
        None if broken else measures.measure(images, whole),
        tuple(measures.content(image) for image in images),
        measures.content(whole) if whole is not None else "",
        values,
    )


def agree(image: sitk.Image, other: sitk.Image) -> bool:
    """Whether nnU-Net takes two headers for equal (its ``verify_same_geometry``)."""
    return all(
        bool(np.all(np.isclose(one, two)))
        for one, two in (
            (image.GetOrigin(), other.GetOrigin()),
            (image.GetSpacing(), other.GetSpacing()),
            (image.GetDirection(), other.GetDirection()),
        )
    )


def _image(image: sitk.Image, file: str) -> Iterator[Problem]:
    values = sitk.GetArrayViewFromImage(image)
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        number = int(values.size - np.isfinite(values).sum())
        yield Problem("not finite", f"{number} voxels are NaN or infinite", file=file)
    elif values.min() == values.max():
        yield Problem("constant", f"every voxel is {values.flat[0]}", file=file)


def _grid(grid: sitk.Image, other: sitk.Image, file: str) -> Iterator[Problem]:
    apart = geometry.differences(other, grid)
    if apart:
        hint = "resample it onto the image's grid, or take the one that was made on it"
        text = f"is not on the grid of channel 0: {'; '.join(apart)}"
        yield Problem("grid", text, file=file, hint=hint)
    elif not agree(grid, other):
        text = "the header differs from channel 0's by more than nnU-Net's integrity check allows"
        yield Problem("header", text, file=file, hint=REPAIR, level="warning")


def _whole(label: sitk.Image) -> sitk.Image:
    values = labels.integers(label)
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(label)
    return image


def _label(
    label: sitk.Image, values: frozenset[int], declared: Collection[int], file: str
) -> Iterator[Problem]:
    if unknown := sorted(values - set(declared)):
        counts = labels.count(labels.integers(label))
        listed = ", ".join(f"{value} ({counts[value]} voxels)" for value in unknown)
        hint = "declare them, or change them with remap=table when converting"
        text = f"values that dataset.json does not declare: {listed}"
        yield Problem("label values", text, file=file, hint=hint)
    if values <= {0}:
        yield Problem("empty label", "the label has no foreground", file=file)
    if np.issubdtype(sitk.GetArrayViewFromImage(label).dtype, np.floating):
        text = f"the label is stored as {label.GetPixelIDTypeAsString()}"
        hint = "the values are whole numbers; labels are best stored as 8-bit integers"
        yield Problem("label type", text, file=file, hint=hint, level="warning")
