"""Where the voxels of a MetaImage or NRRD file lie: a header can name any other file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from nnplug.errors import SourceError
from nnplug.formats._nifti_header import GZIP_RATIO

_LIMIT = 1 << 20
_META_FILE = re.compile(rb"(?mi)^[ \t]*ElementDataFile[ \t]*[=:][ \t]*(.*)$")
_NRRD_FILE = re.compile(rb"(?mi)^[ \t]*data ?file[ \t]*:(.*)$")
_REMEDY = "write the image as one file (.mha, .nrrd or .nii.gz)"


@dataclass(frozen=True)
class Payload:
    """The file that holds the voxels, and how many bytes a byte of it may stand for.

    Attributes:
        path: the header's own file, or the one beside it that the header names.
        ratio: 1 for raw voxels, more for text and for compressed ones.
    """

    path: Path
    ratio: int


def find_payload(path: Path) -> Payload:
    """Find the voxels of a ``.mha``, ``.mhd``, ``.nrrd`` or ``.nhdr`` file.

    Raises:
        SourceError: the header names no file, one that is absent, several files, or a file
            that does not lie in the header's folder or below it.
    """
    with path.open("rb") as file:
        head = file.read(_LIMIT)
    meta = path.name.lower().endswith((".mha", ".mhd"))
    return _meta(path, head) if meta else _nrrd(path, head)


def _meta(path: Path, head: bytes) -> Payload:
    match = _META_FILE.search(head)
    if not match:
        raise SourceError(
            "the header has no ElementDataFile: it is damaged or no MetaImage",
            where=str(path),
            hint="export the image again",
        )
    ratio = 1
    if re.search(rb"(?mi)^[ \t]*CompressedData[ \t]*[=:][ \t]*T", head[: match.start()]):
        ratio = GZIP_RATIO
    elif re.search(rb"(?mi)^[ \t]*BinaryData[ \t]*[=:][ \t]*F", head[: match.start()]):
        ratio = 8
    name = match[1].strip()
    if name.upper() == b"LOCAL":
        return Payload(path, ratio)
    return Payload(_beside(path, name), ratio)


def _nrrd(path: Path, head: bytes) -> Payload:
    if not head.startswith(b"NRRD"):
        raise SourceError("this is not a NRRD file", where=str(path), hint="export it again")
    header = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    match = re.search(rb"(?mi)^[ \t]*encoding[ \t]*:[ \t]*(\w+)", header)
    encoding = match[1].lower() if match else b"raw"
    ratio = {b"raw": 1, b"txt": 8, b"text": 8, b"ascii": 8, b"hex": 1}.get(encoding, GZIP_RATIO)
    names = [m[1].strip() for m in _NRRD_FILE.finditer(header)]
    if not names:
        return Payload(path, ratio)
    if len(names) > 1:
        raise SourceError("the header names several data files", where=str(path), hint=_REMEDY)
    return Payload(_beside(path, names[0]), ratio)


def _beside(path: Path, raw: bytes) -> Path:
    name = raw.decode("utf-8", errors="surrogateescape")
    if not name or "\0" in name or name.split()[0].upper() == "LIST" or "%" in name:
        raise SourceError(
            f"the voxels are spread over several files ({name[:80]!r})",
            where=str(path),
            hint=_REMEDY,
        )
    pure, windows = PurePosixPath(name), PureWindowsPath(name)
    if pure.is_absolute() or windows.drive or windows.root or ".." in {*pure.parts, *windows.parts}:
        raise SourceError(
            f"the header names a data file outside of its folder: {name!r}",
            where=str(path),
            hint="put the data file beside the header and write its bare name into it",
        )
    data = path.parent / name
    if not data.is_file():
        raise SourceError(
            f"the data file {name!r} that the header names is missing",
            where=str(path),
            hint="copy it beside the header, under that name",
        )
    return data
