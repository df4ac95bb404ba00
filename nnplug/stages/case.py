"""One case from its source files to its place in the task folder; runs in a worker process."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from nnplug.data import geometry, labels, nifti
from nnplug.data.files import content_hash, value_hash
from nnplug.data.numbering import Numbered
from nnplug.data.taskfolder import Row, TaskFolder
from nnplug.errors import NnplugError, SourceError
from nnplug.types import Case, Converter, Remapper


@dataclass(frozen=True)
class Tool:
    """A converter or remapper as it travels to a worker: where it is and how it is set up."""

    name: str
    version: str
    target: str
    options: object | None

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
    remapper: Tool | None
    channels: Mapping[int, str]
    labels: Mapping[str, int]
    unlabelled: bool
    previous: Row | None


def convert(job: Job) -> Row:
    """Convert one case, unless nothing that shapes it has changed.

    Raises:
        NnplugError: the case can't be converted correctly; ``where`` names it.
    """
    case = job.numbered.source
    try:
        sources, content = _content(job)
        key = value_hash([content, _recipe(job)])
        if job.previous is not None and job.previous.key == key and _outputs_stand(job):
            return Row(**{**asdict(job.previous), "sources": sources})
        return _write(job, key, sources)
    except NnplugError as error:
        where = f"case {case.name}" + (f", {error.where}" if error.where else "")
        raise type(error)(error.problem, where=where, hint=error.hint) from error
    except MemoryError as error:
        raise SourceError(
            "there is not enough memory", where=f"case {case.name}", hint="use fewer workers"
        ) from error
    except Exception as error:
        raise SourceError(
            f"{type(error).__name__}: {' '.join(str(error).split())[-400:]}",
            where=f"case {case.name}",
            hint=f"the converter {job.converter.name!r} did not expect this file",
        ) from error


def _recipe(job: Job) -> list[Any]:
    remap = job.remapper.identity() if job.remapper else None
    place = [job.numbered.identifier, job.numbered.subject, job.numbered.split]
    settings = [dict(job.channels), dict(job.labels), job.unlabelled]
    return [job.converter.identity(), remap, place, settings]


def _content(job: Job) -> tuple[list[list[Any]], str]:
    """The source files with size, time and content hash; hashes of untouched files are kept."""
    known = {row[0]: row for row in job.previous.sources} if job.previous else {}
    rows = []
    for path in _source_files(job.numbered):
        stat = path.stat()
        old = known.get(str(path))
        if old is not None and old[1:3] == [stat.st_size, stat.st_mtime_ns]:
            rows.append(old)
        else:
            rows.append([str(path), stat.st_size, stat.st_mtime_ns, content_hash(path)])
    return rows, value_hash([row[3] for row in rows])


def _source_files(numbered: Numbered) -> list[Path]:
    paths = list(numbered.source.images)
    if numbered.source.label is not None:
        paths.append(numbered.source.label)
    paths += [Path(path) for path in numbered.source.details.get("files", ())]
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(inner for inner in path.rglob("*") if inner.is_file())
        elif path.is_file():
            files.append(path)
        else:
            raise SourceError("the file is gone", where=str(path))
    return files


def _outputs_stand(job: Job) -> bool:
    assert job.previous is not None
    return all(
        (job.task.path / name).is_file() and content_hash(job.task.path / name) == digest
        for name, digest in job.previous.outputs.items()
    )


def _write(job: Job, key: str, sources: list[list[Any]]) -> Row:
    numbered, task = job.numbered, job.task
    problem = numbered.source.details.get("problem")
    if problem:
        raise SourceError(str(problem))
    converter: Converter = job.converter.make()
    case = converter.read(numbered.source)
    notes = dict(case.provenance)
    _check_images(case, job.channels)
    label, counts = _label(case, job, notes)

    written: dict[str, str] = {}

    def keep(image: sitk.Image, path: Path) -> None:
        nifti.write(image, path)
        written[path.relative_to(task.path).as_posix()] = content_hash(path)

    if label is not None:
        keep(label, task.label(numbered.identifier, numbered.split))
    for channel, image in enumerate(case.images):
        keep(
            _on_grid(image, case.images[0], notes, f"channel {channel}"),
            task.image(numbered.identifier, channel, numbered.split),
        )
    return Row(
        case=numbered.identifier,
        original=numbered.source.name,
        subject=numbered.subject,
        split=numbered.split,
        key=key,
        sources=sources,
        outputs=written,
        labels={str(value): number for value, number in counts.items()},
        provenance=notes,
    )


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
        apart = geometry.differences(case.images[0], image)
        if apart:
            raise SourceError(
                f"{name} is not on the grid of channel 0: {'; '.join(apart)}",
                hint="register and resample the channels onto one grid first",
            )


def _label(case: Case, job: Job, notes: dict[str, str]) -> tuple[sitk.Image | None, dict[int, int]]:
    if case.label is None or job.unlabelled:
        if job.numbered.split == "train":
            raise SourceError(
                "there is no label", hint="add it, or set dataset.unlabelled=true for images alone"
            )
        return None, {}
    apart = geometry.differences(case.images[0], case.label)
    if apart:
        raise SourceError(
            f"image and label are not on one grid: {'; '.join(apart)}",
            hint="resample the label onto the image's grid, or take the label that was drawn on it",
        )
    values = labels.integers(case.label)
    if job.remapper is not None:
        remapper: Remapper = job.remapper.make()
        values = remapper.apply(values)
    counts = labels.count(values)
    labels.check_declared(counts, job.labels)
    if not geometry.same_header(case.images[0], case.label):
        notes["label header"] = "set to the image's (equal within the tolerances)"
    return labels.image_of(values, case.images[0]), counts


def _on_grid(image: sitk.Image, grid: sitk.Image, notes: dict[str, str], name: str) -> sitk.Image:
    if not geometry.same_header(image, grid):
        image = sitk.Image(image)
        image.CopyInformation(grid)
        notes[f"{name} header"] = "set to channel 0's (equal within the tolerances)"
    return image
