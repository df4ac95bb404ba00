"""The writer ``rtstruct``: an RT Structure Set (PS3.3, A.19) of one series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from nnplug.types import CaseSource
from nnplug_dicom.headers.header import Header
from nnplug_dicom.labels.dataset import guarded
from nnplug_dicom.writing.options import COLOURS, RtstructOptions
from nnplug_dicom.writing.outlines import Points, outlines
from nnplug_dicom.writing.planes import planes_of
from nnplug_dicom.writing.series import MAY_BE_EMPTY, headers_of, present, repeated

DECIMALS = 4
_STUDY = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management, as PS3.3, C.8.8.5 has it


class RtstructWriter:
    """Writes one structure set a case, with an ROI a label."""

    def __init__(self, options: RtstructOptions | None = None) -> None:
        self.options = options or RtstructOptions()

    def write(
        self,
        mask: sitk.Image,
        labels: Mapping[str, int],
        case: CaseSource,
        channel: int,
        path: Path,
    ) -> None:
        """Write the labels that occur as ROIs, numbered in the order of ``labels``.

        A mask of background alone names all of them, without contours.

        Raises:
            SourceError: the case is no DICOM series, its mask is not on the slices' grid, or the
                slices lack what a structure set has to repeat.
        """
        headers = headers_of(case, channel, "RTSTRUCT")
        values = planes_of(mask, headers)
        with guarded(headers[0].path, "as the reference of an RTSTRUCT"):
            structures = self._structures(headers)
            for number, (name, value) in enumerate(present(values, labels).items(), 1):
                self._add(structures, number, name, list(_contours(values == value, headers)))
            structures.save_as(path, enforce_file_format=True)

    def _structures(self, headers: Sequence[Header]) -> Dataset:
        """The structure set without ROIs."""
        source = repeated(headers[0].path, "an RTSTRUCT")
        now = datetime.now()
        made = Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian  # contours may exceed 64 kB
        made.SpecificCharacterSet = "ISO_IR 192"
        made.SOPClassUID, made.SOPInstanceUID = RTStructureSetStorage, generate_uid()
        for keyword in MAY_BE_EMPTY:
            setattr(made, keyword, str(source[keyword].value or ""))
        made.StudyInstanceUID, made.SeriesInstanceUID = source.StudyInstanceUID, generate_uid()
        made.Modality, made.SeriesNumber = "RTSTRUCT", self.options.series_number
        made.SeriesDescription, made.OperatorsName = "nnplug segmentation", ""
        made.Manufacturer, made.ManufacturerModelName = "nnplug", "nnU-Net v1"
        made.SoftwareVersions = version("nnplug")
        made.FrameOfReferenceUID, made.PositionReferenceIndicator = source.FrameOfReferenceUID, ""
        made.StructureSetLabel, made.ApprovalStatus = "nnplug", "UNAPPROVED"
        made.StructureSetDate = made.InstanceCreationDate = now.strftime("%Y%m%d")
        made.StructureSetTime = made.InstanceCreationTime = now.strftime("%H%M%S")
        series = _item(
            SeriesInstanceUID=source.SeriesInstanceUID,
            ContourImageSequence=[_image(h) for h in {h.instance: h for h in headers}.values()],
        )
        study = _item(
            ReferencedSOPClassUID=_STUDY,
            ReferencedSOPInstanceUID=source.StudyInstanceUID,
            RTReferencedSeriesSequence=[series],
        )
        made.ReferencedFrameOfReferenceSequence = [
            _item(FrameOfReferenceUID=source.FrameOfReferenceUID, RTReferencedStudySequence=[study])
        ]
        made.StructureSetROISequence = []
        made.ROIContourSequence = []
        made.RTROIObservationsSequence = []
        return made

    def _add(
        self, structures: Dataset, number: int, name: str, contours: Sequence[Dataset]
    ) -> None:
        structures.StructureSetROISequence.append(
            _item(
                ROINumber=number,
                ReferencedFrameOfReferenceUID=structures.FrameOfReferenceUID,
                ROIName=name,
                ROIGenerationAlgorithm="AUTOMATIC",
            )
        )
        colour = self.options.colours.get(name, COLOURS[(number - 1) % len(COLOURS)])
        drawn = _item(ROIDisplayColor=list(colour), ReferencedROINumber=number)
        if contours:
            drawn.ContourSequence = contours
        structures.ROIContourSequence.append(drawn)
        structures.RTROIObservationsSequence.append(
            _item(
                ObservationNumber=number,
                ReferencedROINumber=number,
                RTROIInterpretedType="",
                ROIInterpreter="",
            )
        )


def _contours(mask: NDArray[np.bool_], headers: Sequence[Header]) -> Iterator[Dataset]:
    """The contours of a mask (plane, row, column), plane by plane."""
    for place, header in enumerate(headers):
        framed = header.frame is not None
        plane = mask[header.frame if framed else place]
        for outline in outlines(plane) if plane.any() else ():
            points = _patient(outline, header)
            image = _image(header)
            if header.frame is not None:
                image.ReferencedFrameNumber = header.frame + 1
            yield _item(
                ContourImageSequence=[image],
                ContourGeometricType="CLOSED_PLANAR",
                NumberOfContourPoints=len(points),
                ContourData=[f"{number:.{DECIMALS}f}" for number in points.ravel()],
            )


def _patient(outline: Points, header: Header) -> Points:
    """Pixels x, y on a plane to the patient's x, y, z in mm."""
    assert header.orientation is not None
    assert header.spacing is not None
    row, column = np.reshape(header.orientation, (2, 3))
    across, down = row * header.spacing[1], column * header.spacing[0]
    points = np.array(header.position) + outline[:, :1] * across + outline[:, 1:] * down
    return np.asarray(points.round(DECIMALS) + 0.0)


def _image(header: Header) -> Dataset:
    return _item(ReferencedSOPClassUID=header.sop_class, ReferencedSOPInstanceUID=header.instance)


def _item(**elements: Any) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made
