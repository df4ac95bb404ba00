"""DICOM segmentations: BINARY, FRACTIONAL and LABELMAP (PS3.3, A.51 and C.8.20)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels

from nnplug.errors import SourceError
from nnplug_dicom.labels.dataset import guarded, uids
from nnplug_dicom.labels.groups import frame_groups, frame_planes, group_item
from nnplug_dicom.labels.links import Links
from nnplug_dicom.labels.planes import ONE_PLANE_MM, Planes, bring
from nnplug_dicom.volumes.lattice import Lattice

TYPES = ("BINARY", "FRACTIONAL", "LABELMAP")


class Segmentation:
    """The segments of one SEG, see :class:`nnplug_dicom.labels.draw.Regions`.

    Frames are where their ImagePositionPatient says, in whatever order they come; a place
    without a frame is empty. In a LABELMAP the value 0 is the background and no segment.

    Args:
        path: the file.
        header: all of it but the pixels.
        threshold: from which part of MaximumFractionalValue on a pixel of a FRACTIONAL
            segmentation (probability or occupancy) belongs to its segment.

    Raises:
        SourceError: the file is damaged or no SEG.
    """

    def __init__(self, path: Path, header: Dataset, threshold: float = 0.5) -> None:
        self.path = path
        self._header = header
        self.threshold = threshold
        self._map: tuple[Lattice, NDArray[np.uint16], list[str]] | None = None
        with guarded(path):
            self._type = str(header.SegmentationType).upper()
            if self._type not in TYPES:
                raise SourceError(f"SegmentationType {self._type} is not one of {TYPES}")
            segments = {
                int(item.SegmentNumber): str(item.get("SegmentLabel", "")).strip()
                for item in header.SegmentSequence
            }
            if len(segments) < len(header.SegmentSequence):
                raise SourceError("two of its segments have one SegmentNumber")
            if self._type == "LABELMAP":
                segments.pop(0, None)
        self.numbers = tuple(segments)
        self.names = tuple(segments.values())
        self.frames = (str(header.get("FrameOfReferenceUID", "")),) * len(segments)

    @cached_property
    def links(self) -> Links:
        """The images that it refers to."""
        with guarded(self.path):
            series = list(self._header.get("ReferencedSeriesSequence", []))
            sources = series or self._header.get("PerFrameFunctionalGroupsSequence", [])
            return Links(
                uids(series, "SeriesInstanceUID"),
                uids(sources, "ReferencedSOPInstanceUID"),
                frozenset(self.frames),
            )

    def mask(self, index: int, lattice: Lattice) -> tuple[NDArray[np.bool_], list[str]]:
        """Draw one segment on the voxels of an image.

        Args:
            index: which of ``names``.
            lattice: the voxels of the image.

        Returns:
            The mask (z, y, x), and remarks for the manifest.

        Raises:
            SourceError: frames have no place in the patient, are not parallel or lie in one
                plane, the counts of the header don't agree, or pixels can't be decoded.
        """
        with guarded(self.path, f"segment {self.names[index]!r}"):
            if self._type == "LABELMAP":
                values, remarks = self._label_map(lattice)
                return values == self.numbers[index], remarks
            frames = [i for i, number in enumerate(self._segments) if number == self.numbers[index]]
            if not frames:
                return np.zeros(lattice.shape, bool), []
            mask, remarks = self._brought(frames, lattice, np.bool_)
        if self._type == "FRACTIONAL":
            remarks = [*remarks, f"fractional; from {self.threshold:g} of the maximum on"]
        return mask, remarks

    def _label_map(self, lattice: Lattice) -> tuple[NDArray[np.uint16], list[str]]:
        """All segments at once; kept, because those of one image are drawn in turn."""
        if self._map is None or self._map[0] is not lattice:
            frames = list(range(len(frame_groups(self._header))))
            self._map = (lattice, *self._brought(frames, lattice, np.uint16))
        return self._map[1:]

    def _brought(
        self, frames: list[int], lattice: Lattice, dtype: Any
    ) -> tuple[NDArray[Any], list[str]]:
        if (self._planes.gaps(frames) < ONE_PLANE_MM).any():
            raise SourceError(
                "two frames of one segment lie in one plane", hint="does it show several times?"
            )
        return bring(self._planes, self._pixels(frames), lattice, dtype)

    def _pixels(self, frames: list[int]) -> Iterator[tuple[int, NDArray[Any]]]:
        """Frames as bits (BINARY), bits above the threshold (FRACTIONAL), or segment numbers."""
        for index, pixels in zip(frames, self._decoded(frames), strict=True):
            if pixels.shape != self._planes.shape:
                raise SourceError("its pixels are not one value each")
            if self._type == "FRACTIONAL":
                least = self.threshold * int(self._header.MaximumFractionalValue)
                yield index, (pixels >= least) & (pixels > 0)
            else:
                yield index, pixels

    def _decoded(self, frames: list[int]) -> Iterator[NDArray[Any]]:
        if int(self._header.BitsAllocated) == 1:
            return (self._unpacked(frame) for frame in frames)
        return iter_pixels(self.path, indices=frames, raw=True)

    def _unpacked(self, frame: int) -> NDArray[np.uint8]:
        """A frame of single bits; it may start within a byte (PS3.5, 8.1.1 and annex D)."""
        size = self._planes.shape[0] * self._planes.shape[1]
        first, last = frame * size, (frame + 1) * size
        packed = np.frombuffer(self._bits[first // 8 : -(-last // 8)], np.uint8)
        bits = np.unpackbits(packed, bitorder="little")[first % 8 :][:size]
        return bits.reshape(self._planes.shape)

    @cached_property
    def _bits(self) -> bytes:
        syntax = self._header.file_meta.TransferSyntaxUID
        if syntax.is_compressed or not syntax.is_little_endian:
            raise NotImplementedError(f"single bits in {syntax.name}")
        found: bytes = pydicom.dcmread(self.path, specific_tags=["PixelData"]).PixelData
        return found

    @cached_property
    def _planes(self) -> Planes:
        return frame_planes(self._header)

    @cached_property
    def _segments(self) -> list[int]:
        """The segment that each frame belongs to."""
        keyword = "SegmentIdentificationSequence"
        return [
            int(group_item(self._header, group, keyword).ReferencedSegmentNumber)
            for group in frame_groups(self._header)
        ]
