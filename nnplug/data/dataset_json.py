"""Mistakes in ``dataset.json``: everything that nnU-Net v1 trips over, or silently leaves out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nnplug.data.problems import Level, Problem
from nnplug.data.taskfolder import DATASET_JSON

SUFFIX = ".nii.gz"
KEYS = ("modality", "labels", "training", "test", "numTraining", "numTest")
FOLDERS = {"training": "imagesTr", "test": "imagesTs"}
CHANNEL = re.compile(r"_(\d{4})$")


def unreadable(description: Mapping[str, Any]) -> list[Problem]:
    """What keeps the listed cases from being looked at."""
    return [
        *_wrong_names(description, "modality", '{"0": "CT"}'),
        *_wrong_names(description, "labels", '{"0": "background", "1": "liver"}'),
        *_wrong_entries(description, "training", '{"image": ..., "label": ...}'),
        *_wrong_entries(description, "test", '"./imagesTs/NAME.nii.gz"'),
    ]


def mistakes(description: Mapping[str, Any], folder: Path) -> list[Problem]:
    """What is wrong in a readable ``dataset.json``, and which files in ``folder`` it misses."""
    found = [_problem(f"{key} is missing") for key in KEYS if key not in description]
    return [
        *found,
        *_numbers(description),
        *_labels_and_channels(description),
        *(problem for key in FOLDERS for problem in _listing(description, key, folder)),
        *_in_both(description),
        *(
            p
            for name in ("imagesTr", "labelsTr", "imagesTs")
            for p in _files(description, folder, name)
        ),
    ]


def names(description: Mapping[str, Any], key: str) -> list[str]:
    """The identifiers that ``training`` or ``test`` lists, without folder and ending."""
    return [Path(image).name.removesuffix(SUFFIX) for image, _ in _pairs(description, key)]


def _problem(text: str, hint: str = "", *, warning: bool = False, case: str = "") -> Problem:
    level: Level = "warning" if warning else "error"
    return Problem("dataset.json", text, case, DATASET_JSON, hint, level)


def _wrong_names(description: Mapping[str, Any], key: str, example: str) -> Iterator[Problem]:
    value = description.get(key, {})
    if isinstance(value, dict) and all(name.isdecimal() for name in value):
        for number, name in value.items():
            if not isinstance(name, str):
                yield _problem(f"{key}: {number} must have a name, not {name!r}", f"like {example}")
        return
    turned = isinstance(value, dict) and all(isinstance(item, int) for item in value.values())
    yield _problem(
        f"{key} must be numbers and names like {example}, not {value!r}",
        "names and numbers are the wrong way round (nnU-Net v2 writes them so)" if turned else "",
    )


def _wrong_entries(description: Mapping[str, Any], key: str, example: str) -> Iterator[Problem]:
    entries = description.get(key, [])
    if not isinstance(entries, list):
        yield _problem(f"{key} must be a list, not {entries!r}")
        return
    for entry in entries:
        if key == "test":
            good = isinstance(entry, str)
        else:
            good = isinstance(entry, dict) and all(
                isinstance(entry.get(name), str) for name in ("image", "label")
            )
        if not good:
            yield _problem(f"{key} must list {example}, not {entry!r}")


def _pairs(description: Mapping[str, Any], key: str) -> list[tuple[str, str | None]]:
    entries = description.get(key, [])
    if key == "test":
        return [(entry, None) for entry in entries]
    return [(entry["image"], entry["label"]) for entry in entries]


def _numbers(description: Mapping[str, Any]) -> Iterator[Problem]:
    for key, listed in (("numTraining", "training"), ("numTest", "test")):
        number, entries = description.get(key), description.get(listed, [])
        if number is not None and number != len(entries):
            yield _problem(f"{key} is {number}, but {len(entries)} are listed")


def _labels_and_channels(description: Mapping[str, Any]) -> Iterator[Problem]:
    for key in ("labels", "modality"):
        values = sorted(int(value) for value in description.get(key, {}))
        if values != list(range(len(values))):
            yield _problem(
                f"{key} are {values}, not consecutive from 0",
                "nnU-Net wants 0, 1, 2, ...; remap=table of nnplug convert changes label values"
                if key == "labels"
                else "number the channels as the files: _0000, _0001, ...",
            )
    lowest = description.get("labels", {}).get("0")
    if lowest is not None and "background" not in lowest.casefold():
        yield _problem(
            f"label 0 is called {lowest!r}",
            "0 is always the background for nnU-Net: it is not trained as a class",
            warning=True,
        )
    for key in ("channel_names", "file_ending"):
        if key in description:
            yield _problem(f"{key} is a key of nnU-Net v2, which v1 does not read", warning=True)


def _listing(description: Mapping[str, Any], key: str, folder: Path) -> Iterator[Problem]:
    images = FOLDERS[key]
    for name, number in Counter(names(description, key)).items():
        if number > 1:
            yield _problem(f"{key} lists it {number} times", case=name)
    for image, label in _pairs(description, key):
        name = Path(image).name.removesuffix(SUFFIX)
        example = f"./{images}/NAME{SUFFIX}"
        if not image.endswith(SUFFIX):
            yield _problem(f"{key}: {image!r} does not end in {SUFFIX}", f"write {example}")
        elif Path(image).parent.name != images:
            yield _problem(
                f"{key}: {image!r} does not lie in {images}",
                f"nnU-Net looks in {images} whatever is written here: write {example}",
                warning=True,
            )
        if CHANNEL.search(name) and not (folder / images / f"{name}_0000{SUFFIX}").is_file():
            yield _problem(
                f"{key}: {image!r} carries a channel number",
                f"list the case without it: {example}; the files are NAME_0000{SUFFIX}, ...",
            )
        if label is not None and Path(label).name != Path(image).name:
            yield _problem(
                f"{key}: the label {label!r} is not called as its image {image!r}",
                "give image and label one name",
            )


def _in_both(description: Mapping[str, Any]) -> Iterator[Problem]:
    for name in sorted(set(names(description, "training")) & set(names(description, "test"))):
        yield _problem("is listed for training and for test", case=name)


def _files(description: Mapping[str, Any], folder: Path, inside: str) -> Iterator[Problem]:
    """Files that no entry stands for, with the likely reason."""
    listed = set(names(description, "test" if inside == "imagesTs" else "training"))
    channels = len(description.get("modality", {}))
    for path in sorted((folder / inside).glob("[!.]*")):
        file = f"{inside}/{path.name}"
        if not path.name.endswith(SUFFIX):
            yield Problem("file", f"does not end in {SUFFIX}", file=file, hint="convert or move it")
            continue
        name = path.name.removesuffix(SUFFIX)
        channel = CHANNEL.search(name)
        case = CHANNEL.sub("", name)
        if inside == "labelsTr":
            text = "" if name in listed else "is not listed in dataset.json"
        elif name in listed and (channel is None or case not in listed):
            text = "has no channel number: call it " + f"{name}_0000{SUFFIX}"
        elif channel is None or case not in listed:
            text = "is not listed in dataset.json"
        elif int(channel[1]) >= channels:
            text = f"is one channel more than the {channels} of modality"
        else:
            text = ""
        if text:
            yield Problem("file", text, file=file, hint="nnU-Net's integrity check fails on it")
