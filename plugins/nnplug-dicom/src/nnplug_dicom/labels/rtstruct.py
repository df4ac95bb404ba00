"""RT structure sets: closed contours to masks (PS3.3, A.19, C.8.8.5 and C.8.8.6)."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from nnplug.errors import SourceError
from nnplug_dicom.labels.contours import fill
from nnplug_dicom.labels.dataset import guarded, numbers, uids
from nnplug_dicom.labels.links import Links
from nnplug_dicom.labels.slices import per_slice
from nnplug_dicom.volumes.lattice import Array, Lattice

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")


class StructureSet:
    """The ROIs of one RTSTRUCT, see :class:`nnplug_dicom.labels.draw.Regions`.

    Args:
        path: the file.
        header: all of it.

    Raises:
        SourceError: the file is damaged or no RTSTRUCT.
    """

    def __init__(self, path: Path, header: Dataset) -> None:
        self.path = path
        self._header = header
        with guarded(path):
            rois = list(header.StructureSetROISequence)
            self.numbers = tuple(int(roi.ROINumber) for roi in rois)
            self.names = tuple(str(roi.get("ROIName", "")).strip() for roi in rois)
            frame = str(header.get("FrameOfReferenceUID", ""))
            self.frames = tuple(str(r.get("ReferencedFrameOfReferenceUID", frame)) for r in rois)
            if len(set(self.numbers)) < len(rois):
                raise SourceError("two of its ROIs have one ROINumber")

    @cached_property
    def links(self) -> Links:
        """The images that it refers to."""
        with guarded(self.path):
            frames = list(self._header.get("ReferencedFrameOfReferenceSequence", []))
            images = [
                image
                for roi in self._header.get("ROIContourSequence", [])
                for contour in roi.get("ContourSequence", [])
                for image in contour.get("ContourImageSequence", [])
            ]
            return Links(
                uids(frames, "SeriesInstanceUID"),
                uids([*frames, *images], "ReferencedSOPInstanceUID"),
                frozenset(self.frames),
            )

    def mask(self, index: int, lattice: Lattice) -> tuple[NDArray[np.bool_], list[str]]:
        """Draw one ROI on the voxels of an image.

        Closed contours count; what :func:`~nnplug_dicom.labels.contours.fill` says of a centre
        decides. Contours between slices go to the nearest slice, of several the nearest one.

        Args:
            index: which of ``names``.
            lattice: the voxels of the image.

        Returns:
            The mask (z, y, x), and remarks for the manifest.

        Raises:
            SourceError: contours are damaged, not parallel to the slices, all outside the image,
                or on every second, third, ... slice only.
        """
        mask = np.zeros(lattice.shape, bool)
        with guarded(self.path, f"ROI {self.names[index]!r}"):
            contours, remarks = self._contours(self.numbers[index])
            if not contours:
                return mask, remarks
            distance = float(np.linalg.norm(lattice.steps[:, 2]))
            indices = [lattice.indices(contour) for contour in contours]
            slices, more = per_slice(indices, lattice.shape, distance)
            for k, flat in slices.items():
                mask[k] = fill(flat, lattice.shape[1:])
        return mask, remarks + more

    def _contours(self, number: int) -> tuple[list[Array], list[str]]:
        """The closed contours of an ROI, each (points, 3) in mm, and what was left out."""
        found = []
        ignored: Counter[str] = Counter()
        for roi in self._header.get("ROIContourSequence", []):
            if int(roi.ReferencedROINumber) != number:
                continue
            for contour in roi.get("ContourSequence", []):
                kind = str(contour.get("ContourGeometricType", "")).upper()
                points = _points(contour)
                if kind not in CLOSED:
                    ignored[f"of type {kind or 'unknown'}"] += 1
                elif len(points) < 3:
                    ignored["of less than 3 points"] += 1
                else:
                    found.append(points)
        return found, [f"contours {why}, left out: {count}" for why, count in ignored.items()]


def _points(contour: Dataset) -> Array:
    values = numbers(contour, "ContourData")
    claimed = contour.get("NumberOfContourPoints")
    if len(values) % 3 or (claimed is not None and 3 * int(claimed) != len(values)):
        raise SourceError(
            f"a contour has {len(values)} coordinates but claims {claimed} points",
            hint="was the file cut off or edited?",
        )
    return values.reshape(-1, 3)
