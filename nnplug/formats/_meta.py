"""The header of a MetaImage file (https://itk.org/Wiki/MetaIO/Documentation); no voxels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from nnplug.errors import SourceError
from nnplug.formats._volumes import is_length

_LIMIT = 1 << 20
_FIELD = re.compile(rb"[ \t]*([A-Za-z]\w*)[ \t]*[=:][ \t]*(.*)")
_SCALING = {"ElementToIntensityFunctionSlope": "1", "ElementToIntensityFunctionOffset": "0"}


def read_header(path: Path) -> dict[str, str]:
    """Read the fields of a ``.mha`` or ``.mhd`` file, the last of them ``ElementDataFile``.

    Raises:
        SourceError: it has no ``ElementDataFile``.
    """
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        for line in file.read(_LIMIT).splitlines():
            if match := _FIELD.match(line):
                name = match[1].decode()
                fields[name] = match[2].strip().decode("utf-8", "surrogateescape")
                if name.lower() == "elementdatafile":
                    return {**fields, "ElementDataFile": fields[name]}
    raise SourceError(
        "the header has no ElementDataFile: it is damaged or no MetaImage",
        where=str(path),
        hint="export the image again",
    )


def check_header(fields: Mapping[str, str], path: Path) -> dict[str, str]:
    """Refuse what ITK's reader would read wrongly in silence.

    Returns:
        Notes for the manifest.

    Raises:
        SourceError: lengths are not in mm, a spacing is not positive, or values are scaled.
    """
    unit = fields.get("DistanceUnits", "mm")
    if unit.lower() not in ("mm", "?", ""):
        raise SourceError(
            f"lengths are in {unit!r}, not in mm",
            where=str(path),
            hint="write the image with lengths in mm",
        )
    key = "ElementSpacing" if "ElementSpacing" in fields else "ElementSize"
    if not all(is_length(text) for text in fields.get(key, "").split()):
        raise SourceError(
            f"{key} is {fields[key]}",
            where=str(path),
            hint="write the true voxel size; it is never guessed",
        )
    for key, neutral in _SCALING.items():
        if key in fields and fields[key] not in (neutral, f"{neutral}.0"):
            raise SourceError(
                f"values are scaled ({key} = {fields[key]}), which ITK's reader leaves out",
                where=str(path),
                hint="write the image with its true values",
            )
    if {"ElementSpacing", "ElementSize"}.isdisjoint(fields):
        return {"voxel size": "not in the file; 1 mm"}
    return {}
