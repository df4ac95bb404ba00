"""The cases that ``dataset.json`` lists, and a look at the files of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnplug.data import dataset_json, repair
from nnplug.data.problems import Problem
from nnplug.data.seen import Seen, look
from nnplug.data.taskfolder import TaskFolder
from nnplug.errors import NnplugError
from nnplug.formats.itk import read_image
from nnplug.types import Split


@dataclass(frozen=True)
class Files:
    """One case of a task folder, for a worker.

    Attributes:
        case: its identifier.
        split: train or test.
        folder: the task folder.
        images, label: the files, relative to it.
        declared: the label values of ``dataset.json``.
        repair: headers may be repaired.
    """

    case: str
    split: Split
    folder: Path
    images: tuple[str, ...]
    label: str | None
    declared: frozenset[int]
    repair: bool


def listed(task: TaskFolder, description: Mapping[str, Any], *, repair: bool) -> list[Files]:
    """Every case of a readable ``dataset.json``, training cases first."""
    channels = range(len(description.get("modality", {})))
    sides: tuple[tuple[Split, str], ...] = (("train", "training"), ("test", "test"))
    jobs = []
    for split, key in sides:
        for case in dict.fromkeys(dataset_json.names(description, key)):
            label = task.label(case, split)
            paths = [task.image(case, channel, split) for channel in channels]
            jobs.append(
                Files(
                    case=case,
                    split=split,
                    folder=task.path,
                    images=tuple(path.relative_to(task.path).as_posix() for path in paths),
                    label=label.relative_to(task.path).as_posix()
                    if split == "train" or label.is_file()
                    else None,
                    declared=frozenset(int(value) for value in description.get("labels", {})),
                    repair=repair,
                )
            )
    return jobs


def look_at_files(files: Files) -> Seen:
    """Read and look at one case of a task folder; runs in a worker process."""
    names = [*files.images, *([files.label] if files.label else [])]
    images, damaged = [], []
    for name in names:
        try:
            images.append(read_image(files.folder / name))
        except NnplugError as error:
            damaged.append(Problem("file", error.problem, files.case, name, error.hint or ""))
    if damaged or not files.images:
        return Seen(files.case, files.split, tuple(damaged))
    label = images[-1] if files.label else None
    channels = images[: len(files.images)]
    seen = look(files.case, files.split, channels, label, files.declared, names)
    if not files.repair:
        return seen
    problems = []
    for problem in seen.problems:
        if problem.kind == "header":
            repair.header(images[names.index(problem.file)], images[0], files.folder, problem.file)
            text = f"the header is now channel 0's; what it was stands in {repair.NOTES}"
            problem = replace(problem, kind="repaired", text=text, hint="", level="note")
        problems.append(problem)
    return replace(seen, problems=tuple(problems))
