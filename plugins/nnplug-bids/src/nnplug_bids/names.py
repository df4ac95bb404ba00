"""The grammar of BIDS file names and folders.

``sub-01_ses-02_acq-hires_run-1_T1w.nii.gz`` is entities (key-value) and a suffix. Source: the
BIDS specification, "Common principles", and its appendix "Entities",
https://bids-specification.readthedocs.io/en/stable/appendices/entities.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nnplug.errors import SourceError
from nnplug.layout import natural_key

IMAGES = (".nii", ".nii.gz")
_NAME = re.compile(r"(?:[a-z]+-[A-Za-z0-9+]+_)*[A-Za-z0-9]+")
# Entities whose value is a number, with or without leading zeros.
_NUMBERS = {"run", "echo", "inv", "flip", "split"}


@dataclass(frozen=True)
class Name:
    """What a file's name says.

    Attributes:
        path: the file.
        entities: key to value; numbers without leading zeros.
        suffix: what it is: ``T1w``, ``FLAIR``, ``dseg``, ...
    """

    path: Path
    entities: Mapping[str, str]
    suffix: str

    def has(self, wanted: Mapping[str, str]) -> bool:
        """Whether every entity has the wanted value; ``""`` asks for names without it."""
        return all(self.entities.get(k, "") == plain(k, v) for k, v in wanted.items())


def plain(entity: str, value: str) -> str:
    """A value as it is compared: ``run-01`` is ``run-1``."""
    return (value.lstrip("0") or "0") if entity in _NUMBERS and value else value


def split(text: str) -> tuple[dict[str, str], str] | None:
    """Entities and suffix of a name without its ending; None if it isn't one of BIDS."""
    if not _NAME.fullmatch(text):
        return None
    *pairs, suffix = text.split("_")
    entities = {}
    for pair in pairs:
        key, _, value = pair.partition("-")
        if key in entities:
            return None
        entities[key] = plain(key, value)
    return entities, suffix


def parse(path: Path, endings: tuple[str, ...]) -> Name | None:
    """What a file's name says; None if it ends otherwise or isn't a name of BIDS."""
    ending = next((e for e in sorted(endings, key=len)[::-1] if path.name.endswith(e)), "")
    found = split(path.name.removesuffix(ending)) if ending else None
    return Name(path, *found) if found else None


def anatomy(root: Path) -> Iterator[Name]:
    """Images and masks in ``sub-*/anat`` and ``sub-*/ses-*/anat``, in natural order.

    Raises:
        SourceError: a file's name says another subject or session than its folders.
    """
    for subject in folders(root, "sub-*"):
        for place in (subject, *folders(subject, "ses-*")):
            where = dict(
                part.split("-", 1) for part in place.relative_to(root).parts if "-" in part
            )
            for path in sorted((place / "anat").glob("*.nii*"), key=lambda p: natural_key(p.name)):
                name = parse(path, IMAGES)
                if name is None:
                    continue
                if any(name.entities.get(key, "") != where.get(key, "") for key in ("sub", "ses")):
                    raise SourceError(
                        "the name says another subject or session than the folders",
                        where=str(path),
                        hint="rename or move the file; the BIDS validator finds all of these",
                    )
                yield name


def folders(root: Path, pattern: str) -> list[Path]:
    """Folders of that name directly below, in natural order."""
    return sorted((p for p in root.glob(pattern) if p.is_dir()), key=lambda p: natural_key(p.name))
