"""The writer ``dicom_seg``: a binary Segmentation (PS3.3, A.51) of one series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from nnplug.errors import SourceError
from nnplug.types import CaseSource
from nnplug_dicom.headers.header import Header
from nnplug_dicom.labels.dataset import guarded
from nnplug_dicom.writing.options import SegOptions, Terms
from nnplug_dicom.writing.planes import planes_of
from nnplug_dicom.writing.series import headers_of, present, repeated


class SegWriter:
    """Writes one SEG a case, in the study and frame of reference of the series it refers to."""

    def __init__(self, options: SegOptions | None = None) -> None:
        self.options = options or SegOptions()

    def write(
        self,
        mask: sitk.Image,
        labels: Mapping[str, int],
        case: CaseSource,
        channel: int,
        path: Path,
    ) -> None:
        """Write the labels that occur as segments, numbered in the order of ``labels``.

        A mask of background alone describes all of them and has empty frames.

        Raises:
            SourceError: the case is no DICOM series, its mask is not on the slices' grid, or the
                slices lack what a SEG has to repeat.
        """
        headers = headers_of(case, channel, "SEG")
        values = planes_of(mask, headers)
        found = present(values, labels)
        numbers = np.zeros(values.shape, np.uint16)
        for number, value in enumerate(found.values(), 1):
            numbers[values == value] = number
        with guarded(headers[0].path, "as the reference of a SEG"):
            self._segmentation(headers, mask.GetSpacing()[2], numbers, list(found)).save_as(path)

    def _segmentation(
        self,
        headers: Sequence[Header],
        thickness: float,
        numbers: NDArray[np.uint16],
        names: Sequence[str],
    ) -> Any:
        files = list(dict.fromkeys(header.path for header in headers))
        sources = [_source(path, thickness) for path in files]
        if len(sources) > 1 and any("NumberOfFrames" in source for source in sources):
            raise SourceError("a SEG can't refer to a volume of several multi-frame files")
        return hd.seg.Segmentation(
            source_images=sources,
            pixel_array=numbers,
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[
                self._description(number, name) for number, name in enumerate(names, 1)
            ],
            series_instance_uid=hd.UID(),
            series_number=self.options.series_number,
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer="nnplug",
            manufacturer_model_name="nnU-Net v1",
            software_versions=version("nnplug"),
            device_serial_number="none",
            series_description="nnplug segmentation",
        )

    def _description(self, number: int, name: str) -> Any:
        terms = self.options.terms.get(name, Terms())
        return hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=hd.sr.CodedConcept(*terms.category),
            segmented_property_type=hd.sr.CodedConcept(*terms.type),
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=hd.AlgorithmIdentificationSequence(
                name="nnU-Net", version=version("nnplug"), family=codes.DCM.ArtificialIntelligence
            ),
        )


def _source(path: Path, thickness: float) -> Dataset:
    """The header of an image, with the elements that a SEG repeats.

    Where it has no SliceThickness, that is the distance of the planes, ``thickness`` in mm.
    """
    source = repeated(path, "a SEG")
    if "NumberOfFrames" not in source and not source.get("SliceThickness"):
        source.SliceThickness = f"{thickness:.10g}"
    return source
