"""Whether a region was drawn on an image: what its file refers to against the image's series."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True)
class ImageReference:
    """The series that a label should belong to; what its headers lack is empty.

    Attributes:
        series: its SeriesInstanceUID.
        frame: its FrameOfReferenceUID.
        instances: the SOPInstanceUIDs of its files.
    """

    series: str = ""
    frame: str = ""
    instances: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Links:
    """The images that a SEG or an RTSTRUCT says it was drawn on.

    Attributes:
        series: SeriesInstanceUIDs that it refers to.
        instances: SOPInstanceUIDs that it refers to.
        frames: FrameOfReferenceUIDs of its regions.
    """

    series: frozenset[str]
    instances: frozenset[str]
    frames: frozenset[str]


class Evidence(IntEnum):
    """Why a region is taken to belong to an image, the best reason first."""

    IMAGES = 0
    SERIES = 1
    FRAME = 2
    POSITION = 3
    NONE = 4


REMARKS = {
    Evidence.IMAGES: "drawn on this series",
    Evidence.SERIES: "names this series but none of its images; matched by position",
    Evidence.FRAME: "names no image of this series; matched by frame of reference and position",
    Evidence.POSITION: "names no image of this series and has no frame of reference to compare; "
    "matched by position alone",
}


def evidence(links: Links, frame: str, image: ImageReference) -> Evidence:
    """Weigh what a region refers to against an image series.

    References to images decide before the frame of reference, which some programs renew, unless
    other regions of the file are in the image's. Equal frames of reference mean one coordinate
    system (PS3.3, C.7.4.1), whatever was drawn on.

    Args:
        links: what the region's file refers to.
        frame: the region's FrameOfReferenceUID, or "".
        image: the series.
    """
    foreign = frame and image.frame and frame != image.frame
    if foreign and image.frame in links.frames:
        return Evidence.NONE
    if links.instances & image.instances:
        return Evidence.IMAGES
    if image.series and image.series in links.series:
        return Evidence.SERIES
    if not frame or not image.frame:
        return Evidence.POSITION
    return Evidence.NONE if foreign else Evidence.FRAME
