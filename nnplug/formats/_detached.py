"""Where the voxels of a MetaImage or NRRD file lie: a header can name any other file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from nnplug.errors import SourceError
from nnplug.formats import _meta, nrrd
from nnplug.formats._volumes import GZIP_RATIO

_TEXT_RATIO = 8
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
    if path.name.lower().endswith((".mha", ".mhd")):
        return _of_meta(path, _meta.read_header(path))
    return _of_nrrd(nrrd.read_header(path))


def _of_meta(path: Path, fields: Mapping[str, str]) -> Payload:
    ratio = 1
    if fields.get("CompressedData", "").upper().startswith("T"):
        ratio = GZIP_RATIO
    elif fields.get("BinaryData", "").upper().startswith("F"):
        ratio = _TEXT_RATIO
    name = fields["ElementDataFile"]
    return Payload(path if name.upper() == "LOCAL" else _beside(path, name), ratio)


def _of_nrrd(header: nrrd.NrrdHeader) -> Payload:
    encoding = header.fields.get("encoding", "raw").lower()
    ratio = {"raw": 1, "hex": 1, "txt": _TEXT_RATIO, "text": _TEXT_RATIO, "ascii": _TEXT_RATIO}
    name = header.fields.get("data file")
    if header.data_files > 1:
        raise SourceError(
            "the header names several data files", where=str(header.path), hint=_REMEDY
        )
    data = header.path if name is None else _beside(header.path, name)
    return Payload(data, ratio.get(encoding, GZIP_RATIO))


def _beside(path: Path, name: str) -> Path:
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
