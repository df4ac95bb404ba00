"""One case from its source files to what will be written; runs in a worker process."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.config.settings import KEEP, Convert
from nnplug.data import alignment, labels, orientation, remapping
from nnplug.data.numbering import Numbered
from nnplug.data.taskfolder import Row, TaskFolder
from nnplug.errors import NnplugError, SourceError
from nnplug.types import Case, Converter


@dataclass(frozen=True)
class Tool:
    """A converter or remapper as it travels to a worker: where it is and how it is set up.

    ``owner`` is the plugin, for errors.
    """

    name: str
    version: str
    target: str
    options: object | None
    owner: str = ""

    def make(self) -> Any:
        """Import and construct it."""
        module, _, attribute = self.target.partition(":")
        cls = getattr(importlib.import_module(module), attribute)
        return cls(self.options) if self.options is not None else cls()

    def identity(self) -> list[Any]:
        """What of it shapes a result."""
        values: Any = None
        if is_dataclass(self.options) and not isinstance(self.options, type):
            values = asdict(self.options)
        return [self.name, self.version, values]


@dataclass(frozen=True)
class Job:
    """Everything that a worker needs to convert one case."""

    numbered: Numbered
    task: TaskFolder
    converter: Tool
    remap: tuple[Tool, ...]
    channels: Mapping[int, str]
    labels: Mapping[str, int]
    unlabelled: bool
    convert: Convert
    reference: int | None
    previous: Row | None = None


@dataclass(frozen=True)
class Prepared:
    """A case as it will be written.

    Attributes:
        images: one a channel, on one grid.
        label: uint8, on that grid, or None.
        counts: voxels per value of the label.
        values: the label's values in the source.
        notes: what was done to it, for the manifest.
    """

    images: tuple[sitk.Image, ...]
    label: sitk.Image | None
    counts: dict[int, int]
    values: list[int]
    notes: dict[str, str]


def prepare(job: Job) -> Prepared:
    """Read one case, bring it onto one grid, remap its label; write nothing.

    Raises:
        NnplugError: the case can't be converted correctly; ``where`` names it.
    """
    with named(job):
        return _prepared(job)


@contextlib.contextmanager
def named(job: Job) -> Iterator[None]:
    """Every error names the case, once."""
    case = f"case {job.numbered.source.name}"
    try:
        yield
    except NnplugError as error:
        if error.where and error.where.startswith(case):
            raise
        where = case + (f", {error.where}" if error.where else "")
        raise type(error)(error.problem, where=where, hint=error.hint) from error
    except MemoryError as error:
        raise SourceError(
            "there is not enough memory", where=case, hint="use fewer workers"
        ) from error
    except Exception as error:
        raise SourceError(
            f"{type(error).__name__}: {' '.join(str(error).split())[-400:]}",
            where=case,
            hint=f"the converter {job.converter.name!r} of plugin {job.converter.owner} did not "
            "expect this file",
        ) from error


def _prepared(job: Job) -> Prepared:
    problem = job.numbered.source.details.get("problem")
    if problem:
        raise SourceError(str(problem))
    converter: Converter = job.converter.make()
    case = converter.read(job.numbered.source)
    _check_images(case, job.channels)
    notes = dict(case.provenance)
    images = alignment.channels(case.images, job.channels, job.reference, job.convert, notes)
    drawn = None if job.unlabelled else case.label
    del case  # large
    if drawn is None and job.numbered.split == "train":
        raise SourceError(
            "there is no label", hint="add it, or set dataset.unlabelled=true for images alone"
        )
    label, counts, found = None, {}, []
    if drawn is not None:
        values = alignment.label(drawn, images[0], job.convert, notes)
        del drawn
        found = sorted(labels.count(values))
        values = _remapped(values, job, images[0], notes)
        counts = labels.count(values)
        labels.check_declared(counts, job.labels)
        label = labels.image_of(values, images[0])
    now, wanted = orientation.code(images[0]), job.convert.orient
    if wanted not in (KEEP, now):
        notes["orientation"] = f"{now} turned to {wanted}"
        for number in range(len(images)):
            images[number] = orientation.oriented(images[number], wanted)
        label = orientation.oriented(label, wanted) if label is not None else None
    return Prepared(tuple(images), label, counts, found, notes)


def _remapped(
    values: NDArray[Any], job: Job, grid: sitk.Image, notes: dict[str, str]
) -> NDArray[Any]:
    steps = [remapping.Step(tool.name, tool.make()) for tool in job.remap]
    x, y, z = grid.GetSpacing()
    return remapping.apply(steps, values, job.labels, (z, y, x), notes)


def _check_images(case: Case, channels: Mapping[int, str]) -> None:
    if len(case.images) != len(channels):
        raise SourceError(
            f"{len(case.images)} images were read for {len(channels)} channels {dict(channels)}"
        )
    for channel, image in enumerate(case.images):
        name = f"channel {channel} ({channels[channel]})"
        if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
            raise SourceError(
                f"{name} is not a three-dimensional image with one value a voxel but has "
                f"{image.GetDimension()} axes and {image.GetNumberOfComponentsPerPixel()} values"
            )
        values = sitk.GetArrayViewFromImage(image)
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise SourceError(
                f"{name} holds values that are not finite (NaN or infinity)",
                hint="replace them by what is meant, e.g. the value of air",
            )
