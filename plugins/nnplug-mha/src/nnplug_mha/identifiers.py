"""Free text in the header of a MetaImage or NRRD file, which may name a patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

LARGEST = 1 << 16
# The keys of MetaIO and of ITK that describe the grid and the voxels.
META = (
    *("ObjectType", "ObjectSubType", "NDims", "BinaryData", "BinaryDataByteOrderMSB"),
    *("ElementByteOrderMSB", "CompressedData", "CompressedDataSize", "CompressionLevel"),
    *("TransformMatrix", "Rotation", "Orientation", "Offset", "Position", "Origin"),
    *("CenterOfRotation", "AnatomicalOrientation", "ElementSpacing", "ElementSize", "DimSize"),
    *("ElementNumberOfChannels", "ElementType", "ElementDataFile", "ElementMin", "ElementMax"),
    *("HeaderSize", "HeaderSizePerSlice", "Modality", "DistanceUnits", "Color"),
)
SEGMENTS = re.compile(r"Segment\d+_|Segmentation_")


def identifiers(path: Path) -> Iterator[tuple[str, str]]:
    """Yield pairs of a key and its text: those beside the keys of the format itself.

    Nothing comes from a file that is neither MetaImage nor NRRD. Segments' descriptions in a
    ``.seg.nrrd`` are left out.
    """
    name = path.name.lower()
    if name.endswith((".mha", ".mhd")):
        ending, pattern = "ElementDataFile", re.compile(r"(\w+)\s*=\s*(.*)")
    elif name.endswith((".nrrd", ".nhdr")):
        ending, pattern = "", re.compile(r"(content|[^:]+?):=?\s*(.*)")
    else:
        return
    with path.open("rb") as stream:
        text = stream.read(LARGEST).decode("utf-8", "replace")
    for line in text.splitlines():
        if (not line and not ending) or (ending and line.startswith(ending)):
            return
        match = pattern.fullmatch(line)
        if match is None or not match[2].strip() or match[1] in META:
            continue
        free = ending or match[1] == "content" or f"{match[1]}:=" in line
        if free and not SEGMENTS.match(match[1]):
            yield match[1], match[2].strip()
