"""check: mistakes in a task folder, all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import data_settings
from nnplug.config.settings import DataSettings
from nnplug.console import progress, say
from nnplug.data import geometry, labels
from nnplug.data.taskfolder import TaskFolder
from nnplug.errors import DataError, NnplugError
from nnplug.formats.itk import read_image
from nnplug.stages.workers import pool
from nnplug.types import Split


@dataclass(frozen=True)
class CaseFiles:
    """The files of one case in a task folder."""

    case: str
    images: tuple[Path, ...]
    label: Path | None


def main(config: Mapping[str, Any], catalog: Catalog) -> None:
    """The verb."""
    run(data_settings(config, catalog))


def run(settings: DataSettings) -> None:
    """Look at every case of the task.

    Raises:
        DataError: lists every mistake that was found.
    """
    task = TaskFolder(Folders.below(settings.paths.root).task(settings.dataset.task))
    description = task.description()
    if found := list(_shape_mistakes(description)):
        raise _error(found, task)
    found = list(_description_mistakes(description, task))
    values = {int(value) for value in description.get("labels", {})}
    cases = [*_cases(task, description, "train"), *_cases(task, description, "test")]
    with (
        pool(settings.workers) as executor,
        progress("checking", len(cases)) as advance,
    ):
        for mistakes in executor.map(_case_mistakes, cases, [values] * len(cases)):
            found += mistakes
            advance()
    if found:
        raise _error(found, task)
    say(f"{task.path.name}: {len(cases)} cases, no mistake found")


def _error(found: list[str], task: TaskFolder) -> DataError:
    return DataError(
        f"{len(found)} mistakes:\n  " + "\n  ".join(found),
        where=str(task.path),
        hint="repair the source and run `nnplug convert` again",
    )


def _shape_mistakes(description: Mapping[str, Any]) -> Iterator[str]:
    """What keeps the cases from being looked at."""
    for key, example in (("modality", '{"0": "CT"}'), ("labels", '{"0": "background"}')):
        value = description.get(key, {})
        if not isinstance(value, dict) or not all(name.isdecimal() for name in value):
            yield f"dataset.json: {key} must be numbers and names like {example}, not {value!r}"
    for key in ("training", "test"):
        entries = description.get(key, [])
        if not isinstance(entries, list):
            yield f"dataset.json: {key} must be a list, not {entries!r}"
            continue
        for entry in entries:
            pair = isinstance(entry, dict) and isinstance(entry.get("image"), str)
            if not pair and (key == "training" or not isinstance(entry, str)):
                example = '{"image": ..., "label": ...}' if key == "training" else "a path"
                yield f"dataset.json: {key} must list {example}, not {entry!r}"


def _description_mistakes(description: Mapping[str, Any], task: TaskFolder) -> Iterator[str]:
    for key in ("modality", "labels", "training", "test", "numTraining", "numTest"):
        if key not in description:
            yield f"dataset.json: {key} is missing"
    for key, listed in (("numTraining", "training"), ("numTest", "test")):
        number, entries = description.get(key), description.get(listed, [])
        if number is not None and number != len(entries):
            yield f"dataset.json: {key} is {number}, but {len(entries)} are listed"
    values = sorted(int(value) for value in description.get("labels", {}))
    if values != list(range(len(values))):
        yield f"dataset.json: labels are {values}, not consecutive from 0"
    known = {
        path
        for split in ("train", "test")
        for files in _cases(task, description, "train" if split == "train" else "test")
        for path in (*files.images, *([files.label] if files.label else []))
    }
    for folder in ("imagesTr", "labelsTr", "imagesTs"):
        for path in sorted((task.path / folder).glob("*.nii.gz")):
            if path not in known:
                yield f"{folder}/{path.name} is not listed in dataset.json"


def _cases(task: TaskFolder, description: Mapping[str, Any], split: Split) -> list[CaseFiles]:
    channels = range(len(description.get("modality", {})))
    listed = description.get("training" if split == "train" else "test", [])
    names = [Path(entry["image"] if isinstance(entry, dict) else entry).name for entry in listed]
    cases = []
    for name in (name.removesuffix(".nii.gz") for name in names):
        label = task.label(name, split)
        images = tuple(task.image(name, channel, split) for channel in channels)
        cases.append(
            CaseFiles(name, images, label if split == "train" or label.is_file() else None)
        )
    return cases


def _case_mistakes(files: CaseFiles, values: set[int]) -> list[str]:
    found = []
    images: list[sitk.Image] = []
    for path in (*files.images, *([files.label] if files.label else [])):
        try:
            images.append(read_image(path))
        except NnplugError as error:
            found.append(f"{files.case}: {path.name}: {error.problem}")
    if found:
        return found
    for path, image in zip(files.images, images, strict=False):
        voxels = sitk.GetArrayViewFromImage(image)
        if np.issubdtype(voxels.dtype, np.floating) and not np.isfinite(voxels).all():
            found.append(f"{files.case}: {path.name} holds values that are not finite")
        elif voxels.min() == voxels.max():
            found.append(f"{files.case}: {path.name} has the same value everywhere")
    for image in images[1:]:
        apart = geometry.differences(images[0], image)
        if apart:
            found.append(f"{files.case}: files are not on one grid: {'; '.join(apart)}")
    if files.label is not None:
        found += _label_mistakes(files.case, images[-1], values)
    return found


def _label_mistakes(case: str, label: sitk.Image, values: set[int]) -> list[str]:
    try:
        counts = labels.count(labels.integers(label))
    except NnplugError as error:
        return [f"{case}: {error.problem}"]
    found = []
    unknown = {value: number for value, number in counts.items() if value not in values}
    if unknown:
        found.append(f"{case}: label values (voxels) that dataset.json lacks: {unknown}")
    if set(counts) <= {0}:
        found.append(f"{case}: the label is empty")
    return found
