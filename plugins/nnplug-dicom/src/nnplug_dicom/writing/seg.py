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
from nnplug_dicom.labels.dataset import guarded, read_dataset
from nnplug_dicom.writing.options import SegOptions, Terms
from nnplug_dicom.writing.planes import planes_of

# What every object of a study repeats (PS3.3, C.7.1.1, C.7.2.1): without a value, and with one.
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
    *("StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


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
        series = case.details.get("series")
        if not series:
            raise SourceError(
                "a DICOM SEG refers to a DICOM series, and this case has none",
                where=f"case {case.name}",
                hint="predict the DICOM folder itself with dataset=NAME converter=dicom",
            )
        headers = series[channel]
        values = planes_of(mask, headers)
        present = {name: value for name, value in labels.items() if (values == value).any()}
        numbers = np.zeros(values.shape, np.uint16)
        for number, value in enumerate(present.values(), 1):
            numbers[values == value] = number
        with guarded(headers[0].path, "as the reference of a SEG"):
            self._segmentation(
                headers, mask.GetSpacing()[2], numbers, list(present or labels)
            ).save_as(path)

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
    source = read_dataset(path)
    missing = [keyword for keyword in _NEEDED if not source.get(keyword)]
    if missing:
        raise SourceError(
            f"the image has no {', '.join(missing)}, which a SEG has to repeat",
            hint="write masks of this series as format=nii.gz, mha or nrrd",
        )
    for keyword in _MAY_BE_EMPTY:
        if keyword not in source:
            setattr(source, keyword, "")
    if "NumberOfFrames" not in source and not source.get("SliceThickness"):
        source.SliceThickness = f"{thickness:.10g}"
    return source
