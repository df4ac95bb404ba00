"""Looking for identifying values in files: names, numbers, dates and UIDs of a source.

A value of eight characters and more is found anywhere, a shorter one only as a whole word; case
doesn't count. Parts of a person's name count too. Not looked for are values below four
characters, plain numbers of less than six digits, lists of numbers, and words such as ``none``.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from nnplug.formats.identifiers import before_voxels

SHORTEST = 4
SUBSTRING = 8
NUMBER = 6
UID_LENGTH = 12
LARGE = 1 << 20
NUMBERS = re.compile(r"[-+0-9.,:;/eE\s]*")
RUNS = re.compile(rb"[0-9.]{%d,}" % UID_LENGTH)
WORDS = frozenset(
    (
        *("none", "null", "true", "false", "unknown", "anonymous", "anonymized", "anonymised"),
        *("removed", "deleted", "default", "image", "label", "patient", "subject", "test"),
        *("train", "volume", "scan", "study", "series"),
    )
)


@dataclass(frozen=True)
class Terms:
    """What to look for: value to the field that it comes from.

    Attributes:
        uids: digits and dots only, compared whole.
        words: everything else, in lower case.
    """

    uids: Mapping[bytes, str]
    words: Mapping[bytes, str]


def terms(pairs: Iterable[tuple[str, str]], allowed: Iterable[str] = ()) -> Terms:
    """Sort pairs of a field and a value.

    Args:
        pairs: as the converters' ``identifiers`` functions yield them.
        allowed: values that are no secret: the case identifiers of the task.
    """
    known = {value.lower() for value in allowed}
    uids: dict[bytes, str] = {}
    words: dict[bytes, str] = {}
    for field, value in pairs:
        for text in _parts(value):
            if text.lower() in known or not _is_distinctive(text):
                continue
            if len(text) >= UID_LENGTH and re.fullmatch(r"[0-9.]+", text):
                uids.setdefault(text.encode(), field)
            else:
                for written in {text, json.dumps(text)[1:-1]}:
                    words.setdefault(written.encode().lower(), field)
    return Terms(uids, words)


def fields_in(content: bytes, wanted: Terms) -> dict[str, str]:
    """The fields whose values occur in ``content``, each with one value, masked."""
    found = {}
    runs = {run.strip(b".") for run in RUNS.findall(content)} if wanted.uids else set()
    for run in runs & wanted.uids.keys():
        found[wanted.uids[run]] = _masked(run)
    lowered = content.lower()
    for word, field in wanted.words.items():
        if word in lowered and (len(word) >= SUBSTRING or _as_word(word, lowered)):
            found[field] = _masked(word)
    return found


def searchable(path: Path) -> bytes:
    """The part of a file that can hold text.

    Header and extensions of a NIfTI file, the text chunks of a PNG; nothing of numpy's arrays;
    of other large binary files their printable runs; else the whole file.
    """
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        return before_voxels(path)
    if name.endswith((".npz", ".npy")):
        return b""
    if name.endswith(".png"):
        with contextlib.suppress(OSError, ValueError), Image.open(path) as picture:
            return "\n".join(map(str, picture.info.values())).encode()
    content = path.read_bytes()
    if len(content) > LARGE and b"\0" in content:
        return b"\n".join(re.findall(rb"[\x20-\x7e]{%d,}" % SUBSTRING, content))
    return content


def _parts(value: str) -> Iterator[str]:
    """The value; of a person's name (PS3.5, 6.2.1) also its parts and the usual spellings."""
    yield value
    if "^" in value:
        names = [part for part in re.split(r"[\^=]", value) if part.strip()]
        yield from names
        if len(names) > 1:
            for gap in " _-,":
                yield f"{names[0]}{gap}{names[1]}"
                yield f"{names[1]}{gap}{names[0]}"


def _is_distinctive(text: str) -> bool:
    if len(text) < SHORTEST or text.lower() in WORDS or len(set(text)) == 1:
        return False
    if NUMBERS.fullmatch(text):
        return sum(map(str.isdigit, text)) >= NUMBER and not re.search(r"\s", text)
    return True


def _as_word(word: bytes, content: bytes) -> bool:
    pattern = rb"(?<![a-z0-9])" + re.escape(word) + rb"(?![a-z0-9])"
    return re.search(pattern, content) is not None


def _masked(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    return f"{text[0]}... of {len(text)} characters"
