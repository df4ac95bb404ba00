"""The header of a NRRD file (https://teem.sourceforge.net/nrrd/format.html); no voxels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from nnplug.errors import SourceError
from nnplug.formats._volumes import is_length

_LIMIT = 1 << 20
_SPACES = {
    "left-posterior-superior",
    "lps",
    "right-anterior-superior",
    "ras",
    "left-anterior-superior",
    "las",
}
_SCALAR_KINDS = {"domain", "space", "list", "time", "none", "???", "stub", "scalar"}
_MM = {"mm", "millimeter", "millimeters", "millimetre", "millimetres", "???", "none", ""}


@dataclass(frozen=True)
class NrrdHeader:
    """What stands above the voxels.

    Attributes:
        path: the file.
        fields: lower-case field name to its text, e.g. ``{"sizes": "5 6 7"}``; of ``data file``
            the first line.
        pairs: the file's own keys (``key:=value``), e.g. ``Segment0_Name``.
        data_files: how many lines name data files.
    """

    path: Path
    fields: Mapping[str, str]
    pairs: Mapping[str, str]
    data_files: int


def read_header(path: Path) -> NrrdHeader:
    """Read the header of a ``.nrrd`` or ``.nhdr`` file.

    Raises:
        SourceError: it is not a NRRD file.
    """
    with path.open("rb") as file:
        head = file.read(_LIMIT)
    if not head.startswith(b"NRRD"):
        raise SourceError("this is not a NRRD file", where=str(path), hint="export it again")
    text = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0].decode("utf-8", "surrogateescape")
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    data_files = 0
    for line in text.splitlines()[1:]:
        if line.startswith("#"):
            continue
        if match := re.match(r"([^:]*?):=(.*)", line):
            pairs[match[1]] = match[2].replace("\\n", "\n").replace("\\\\", "\\")
        elif match := re.match(r"([^:]+):(.*)", line):
            name = match[1].strip().lower()
            name = {"datafile": "data file", "lineskip": "line skip"}.get(name, name)
            data_files += name == "data file"
            fields.setdefault(name, match[2].strip())
    return NrrdHeader(path, fields, pairs, data_files)


def check_header(header: NrrdHeader) -> dict[str, str]:
    """Refuse what ITK's reader would read wrongly in silence.

    Returns:
        Notes for the manifest.

    Raises:
        SourceError: a space that is not the patient's, units other than mm, lengths that are
            not finite and positive, or an axis of values that are not independent (vectors,
            colours).
    """
    fields, where = header.fields, str(header.path)
    space = fields.get("space", "").lower()
    if space and space not in _SPACES:
        raise SourceError(
            f"the space {fields['space']} does not tell left from right",
            where=where,
            hint="write one of left-posterior-superior, right-anterior-superior and "
            "left-anterior-superior, whichever is true, as the header's space",
        )
    units = re.findall(r'"([^"]*)"', fields.get("space units", "") or fields.get("units", ""))
    if odd := [unit for unit in units if unit.lower() not in _MM]:
        raise SourceError(
            f"lengths are in {odd[0]!r}, not in mm",
            where=where,
            hint="write the image with lengths in mm",
        )
    kinds = fields.get("kinds", "").lower().split()
    if odd := [kind for kind in kinds if kind not in _SCALAR_KINDS]:
        raise SourceError(
            f"an axis is of the kind {odd[0]!r}: every voxel has several values, not one",
            where=where,
            hint="write one scalar image a channel",
        )
    if wrong := _wrong_lengths(fields, kinds):
        raise SourceError(
            f"the {wrong} are {fields[wrong]}",
            where=where,
            hint="write the true size and place of the voxels; they are never guessed",
        )
    notes = {}
    if not space:
        notes["orientation"] = "not in the file; axes taken as left, posterior, superior"
    if "spacings" not in fields and "space directions" not in fields:
        notes["voxel size"] = "not in the file; 1 mm"
    return notes


def _wrong_lengths(fields: Mapping[str, str], kinds: list[str]) -> str:
    """The first field of lengths that can't be; only an axis of layers has none."""
    layers = kinds.count("list")
    for key, allowed in {"space directions": 3 * layers, "space origin": 0}.items():
        if len(re.findall("nan|inf", fields.get(key, "").lower())) > allowed:
            return key
    for text, kind in zip_longest(fields.get("spacings", "").split(), kinds, fillvalue=""):
        if text and kind != "list" and not is_length(text):
            return "spacings"
    return ""
