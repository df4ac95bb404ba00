"""The same scan or the same subject where it should not be twice."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from nnplug.data.problems import Problem
from nnplug.data.seen import Seen
from nnplug.types import Split

LEAK = "a score on the test cases would not be that of unseen data: remove one of them"


def repeated_images(cases: Iterable[Seen]) -> Iterator[Problem]:
    """Images that are equal voxel by voxel: errors between training and test, else warnings."""
    groups: dict[str, list[tuple[Seen, int]]] = defaultdict(list)
    for case in cases:
        for channel, content in enumerate(case.contents):
            groups[content].append((case, channel))
    told = set()
    for group in groups.values():
        (first, channel), *others = group
        for other, number in others:
            if (first.name, other.name) not in told:
                told.add((first.name, other.name))
                yield _repeated(first, channel, other, number)


def _repeated(first: Seen, channel: int, other: Seen, number: int) -> Problem:
    if first.name == other.name:
        return Problem(
            "duplicate",
            f"channels {channel} and {number} are the same image",
            first.name,
            level="warning",
        )
    text = f"channel {number} is the same image as channel {channel} of {first.name}"
    if first.label_content and other.label_content:
        equal = first.label_content == other.label_content
        text += "; so is the label" if equal else "; the labels differ"
    if first.split != other.split:
        return Problem("leak", f"{text}; one is for training, one for test", other.name, hint=LEAK)
    hint = "is one patient there twice? keep one, or give both one dataset.subject"
    return Problem("duplicate", text, other.name, hint=hint, level="warning")


def repeated_subjects(subjects: Mapping[str, tuple[str, Split]]) -> Iterator[Problem]:
    """Subjects with cases on both sides; ``subjects`` maps a case to its subject and split."""
    sides: dict[str, dict[Split, list[str]]] = defaultdict(lambda: defaultdict(list))
    for case, (subject, split) in subjects.items():
        sides[subject][split].append(case)
    for cases in sides.values():
        if len(cases) > 1:
            yield Problem(
                "leak",
                f"{', '.join(sorted(cases['train']))} for training and "
                f"{', '.join(sorted(cases['test']))} for test are of one subject",
                cases["test"][0],
                hint=LEAK,
            )


def subjects_of(case_map: Path) -> dict[str, tuple[str, Split]]:
    """Case to subject and split from a ``case_map.csv``; empty if there is none."""
    if not case_map.is_file():
        return {}
    with case_map.open(encoding="utf-8", newline="") as stream:
        return {
            row["case"]: (row["subject"], "test" if row["split"] == "test" else "train")
            for row in csv.DictReader(stream)
            if row.get("case") and row.get("subject") and row.get("split")
        }
