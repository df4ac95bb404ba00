"""The folders of the Medical Segmentation Decathlon, as their ``dataset.json`` describes them.

Format: M. Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13, 4128
(2022), and http://medicaldecathlon.com. A case is one file; several channels lie along its
fourth axis. nnU-Net's task folders have a ``dataset.json`` of the same shape whose entries name
no file (``case.nii.gz`` for ``case_0000.nii.gz``); those are told apart by that.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nnplug.errors import SourceError
from nnplug.layout import natural_key
from nnplug.types import CaseSource, Source, Split

_FILE = "dataset.json"


@dataclass(frozen=True)
class Task:
    """What a Decathlon ``dataset.json`` says.

    Attributes:
        root: its folder.
        channels: channel number to modality.
        labels: label name to value.
        training: image and label of each training case, as written.
        test: image of each test case, as written.
    """

    root: Path
    channels: Mapping[int, str]
    labels: Mapping[str, int]
    training: tuple[tuple[str, str], ...]
    test: tuple[str, ...]


def read(root: Path) -> Task | None:
    """Read the ``dataset.json`` of a Decathlon task; None if ``root`` is not one.

    Raises:
        SourceError: the file is not JSON, or lists files in another way.
    """
    path = root / _FILE
    text = _parsed(path)
    listed = text.get("training")
    if not isinstance(listed, list) or not any(_names_a_file(root, entry) for entry in listed):
        return None
    try:
        channels, labels = _names(text)
        return Task(
            root=root,
            channels=channels,
            labels=labels,
            training=tuple((str(entry["image"]), str(entry["label"])) for entry in listed),
            test=tuple(_test(entry) for entry in text.get("test", [])),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"this is not how a Decathlon task is described ({type(error).__name__}: {error})",
            where=str(path),
            hint="compare it with a dataset.json of medicaldecathlon.com, or move it away",
        ) from error


def names(root: Path) -> tuple[dict[int, str], dict[str, int]]:
    """Return the channels and labels of a ``dataset.json``, nnU-Net's as well; empty without."""
    try:
        return _names(_parsed(root / _FILE))
    except (SourceError, AttributeError, TypeError, ValueError):
        return {}, {}


def cases(task: Task, source: Source) -> list[CaseSource]:
    """List the cases of a task in natural order.

    What is wrong with a case stands in its ``details["problem"]``; with several channels,
    ``details["volumes"]`` is their number.
    """
    found = [_case(task, source, image, label, "train") for image, label in task.training]
    found += [_case(task, source, image, None, "test") for image in task.test]
    repeated = {name for name, times in Counter(c.name for c in found).items() if times > 1}
    if repeated:
        raise SourceError(
            f"several cases have one name: {', '.join(sorted(repeated)[:5])}",
            where=str(task.root / _FILE),
            hint="keep one entry a case",
        )
    return sorted(found, key=lambda case: natural_key(case.name))


def _parsed(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        text = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(
            f"can't be read as JSON ({error})", where=str(path), hint="mend it, or move it away"
        ) from error
    return text if isinstance(text, dict) else {}


def _names(text: Mapping[str, Any]) -> tuple[dict[int, str], dict[str, int]]:
    return (
        {int(number): str(name) for number, name in text.get("modality", {}).items()},
        {str(name): int(value) for value, name in text.get("labels", {}).items()},
    )


def _case(task: Task, source: Source, image: str, label: str | None, split: Split) -> CaseSource:
    details: dict[str, Any] = {}
    if len(source.channels) > 1:
        details["volumes"] = len(source.channels)
    names = [image] if label is None or source.unlabelled else [image, label]
    problems = [p for name in names if (p := _problem(task.root, name))]
    if problems:
        details["problem"] = f"{_FILE}: {'; '.join(problems)}"
    name = PurePosixPath(image).name
    for ending in (".gz", ".nii"):
        name = name.removesuffix(ending)
    return CaseSource(
        name=name,
        images=(task.root / image,),
        label=task.root / names[1] if len(names) > 1 else None,
        split=None if source.unlabelled else split,
        details=details,
    )


def _problem(root: Path, name: str) -> str:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        return f"{name} lies outside of the task"
    return "" if (root / name).is_file() else f"there is no {name}"


def _names_a_file(root: Path, entry: Any) -> bool:
    image = entry.get("image") if isinstance(entry, dict) else None
    return isinstance(image, str) and (root / image).is_file()


def _test(entry: Any) -> str:
    return str(entry["image"]) if isinstance(entry, dict) else str(entry)
