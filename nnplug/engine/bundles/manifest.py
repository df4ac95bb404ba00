"""``nnplug_bundle.json`` in a model's folder: what the model is, and a hash of every file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nnplug.engine.bundles.layout import MANIFEST
from nnplug.engine.hashing import sha256
from nnplug.errors import DataError

FORMAT = 1


def read(folder: Path) -> dict[str, Any] | None:
    """The manifest of a model; None if it has none, as models of stock nnU-Net.

    Raises:
        DataError: damaged, or of a newer format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version, files = int(content["format"]), dict(content["files"])
        licence = str(content["licence"] or "")
        if not licence.isprintable():
            raise ValueError(licence)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError("not a manifest of a bundle", where=str(path)) from error
    if version > FORMAT:
        raise DataError(
            f"it has format {version}, this nnplug knows up to {FORMAT}",
            where=str(path),
            hint="install a newer nnplug",
        )
    return {**content, "files": files, "licence": licence}


def verify(folder: Path) -> None:
    """Compare every file of an unpacked model with its manifest, if it has one.

    Raises:
        DataError: a file is missing, too many or another one.
    """
    content = read(folder)
    if content is None:
        return
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    there.remove(MANIFEST)
    for name in sorted(there ^ set(content["files"])):
        state = "is not listed" if name in there else "is listed, but missing"
        raise DataError(f"{name} {state}", where=str(folder / MANIFEST))
    for name in sorted(there):
        if content["files"][name] != sha256(folder / name):
            raise DataError(
                f"this is not the file that {MANIFEST} lists: its SHA-256 differs",
                where=str(folder / name),
                hint="the bundle was damaged or changed; get it again from its source",
            )
