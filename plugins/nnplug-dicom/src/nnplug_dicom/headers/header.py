"""One file's header: what grouping, geometry and pixels need, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nnplug.errors import SourceError
from nnplug_dicom.headers.fields import Fields, read_fields
from nnplug_dicom.headers.parse import (
    Triple,
    b_value,
    class_name,
    number_if,
    numbers,
    pair,
    six,
    stored_value,
    triple,
    whole,
    whole_if,
)
from nnplug_dicom.headers.probe import HEAD, SUFFIXES, is_dicom
from nnplug_dicom.headers.scan import scan_fields

_NOT_IMAGES = {
    *("SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "RTRECORD", "RTIMAGE", "REG", "SR", "PR", "KO"),
    *("ANN", "DOC", "FID", "RWV", "PLAN", "AU", "ECG", "SM"),
}
_STRUCTURES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    "1.2.840.10008.5.1.4.1.1.66.7": "SEG",
    "1.2.840.10008.5.1.4.1.1.481.3": "RTSTRUCT",
}


@dataclass(frozen=True, slots=True)
class Header:
    """What one DICOM image says about itself; "" or None where it says nothing.

    A file with several planes (multi-frame, mosaic) has one header a plane.

    Attributes:
        path: its file.
        series: SeriesInstanceUID.
        patient: PatientID.
        modality: Modality, upper case.
        number: SeriesNumber.
        description: SeriesDescription.
        image_type: ImageType, upper case.
        rows: height in pixels.
        columns: width in pixels.
        frames: NumberOfFrames, 1 where absent.
        samples: SamplesPerPixel.
        photometric: PhotometricInterpretation.
        spacing: PixelSpacing in mm: between rows (y), between columns (x).
        position: ImagePositionPatient in mm (LPS), the centre of the first pixel.
        orientation: ImageOrientationPatient: direction cosines of a row, then of a column.
        allocated: BitsAllocated.
        stored: BitsStored.
        high_bit: HighBit.
        signed: PixelRepresentation is 1.
        slope: RescaleSlope, 1 where absent.
        intercept: RescaleIntercept, 0 where absent.
        lookup: there is a Modality LUT in place of slope and intercept.
        syntax: transfer syntax UID.
        pixels: where the pixels are, see :class:`nnplug_dicom.headers.fields.Fields`; None without.
        real: "f4" or "f8" where the pixels are floats.
        study: StudyInstanceUID.
        frame_of_reference: FrameOfReferenceUID.
        instance: SOPInstanceUID.
        sop_class: SOPClassUID.
        acquisition: AcquisitionNumber.
        echo: EchoTime in ms.
        echo_number: EchoNumbers, the first.
        b_value: diffusion b-value in s/mm2, from the standard's element or Siemens' or GE's.
        temporal: TemporalPositionIdentifier.
        trigger: TriggerTime in ms.
        stack: StackID of a frame.
        padding: PixelPaddingValue, a stored value.
        padding_limit: PixelPaddingRangeLimit, a stored value.
        planar: PlanarConfiguration, 0 where absent.
        dimensions: indices of a frame along the file's dimensions that are not spatial (PS3.3,
            C.7.6.17), e.g. ``2`` or ``2/1``.
        frame: which plane of a file with several it is, from 0; None for a file with one.
        tiles: tiles along a side of the Siemens mosaic that the plane is one of, else 0.
    """

    path: Path
    series: str
    patient: str
    modality: str
    number: int | None
    description: str
    image_type: tuple[str, ...]
    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    spacing: tuple[float, float] | None
    position: Triple | None
    orientation: tuple[float, ...] | None
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    slope: float
    intercept: float
    lookup: bool
    syntax: str
    pixels: tuple[int, int] | None
    real: str = ""
    study: str = ""
    frame_of_reference: str = ""
    instance: str = ""
    sop_class: str = ""
    acquisition: int | None = None
    echo: float | None = None
    echo_number: int | None = None
    b_value: float | None = None
    temporal: int | None = None
    trigger: float | None = None
    stack: str = ""
    padding: int | None = None
    padding_limit: int | None = None
    planar: int = 0
    dimensions: str = ""
    frame: int | None = None
    tiles: int = 0


@dataclass(frozen=True, slots=True)
class Other:
    """A DICOM object that is no image: a structure set, a segmentation, a report, a dose.

    Attributes:
        path: its file.
        kind: ``SEG``, ``RTSTRUCT``, or another modality, or "".
        patient: PatientID.
        study: StudyInstanceUID.
        series: SeriesInstanceUID.
        description: SeriesDescription.
    """

    path: Path
    kind: str
    patient: str = ""
    study: str = ""
    series: str = ""
    description: str = ""


def read_header(path: Path) -> Header | None:
    """Read the header of one image file; None for all others, see :func:`read_object`."""
    found = read_object(path)
    return found if isinstance(found, Header) else None


def read_object(path: Path) -> Header | Other | None:
    """Read the header of one file, without its pixels.

    Returns:
        The header, or what else the file holds, or None for a file that is not DICOM (or a
        DICOMDIR).

    Raises:
        SourceError: a file that should be an image is empty, cut off or damaged.
    """
    named, prefixed = path.suffix.lower() in SUFFIXES, False
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            if not is_dicom(head):
                if named:
                    raise SourceError(_no_dicom(head), where=path.name)
                return None
            prefixed = head[128:132] == b"DICM"
            fields = scan_fields(file)
            if fields is None:
                file.seek(0)
                fields = read_fields(file)
            return _interpret(path, fields, sure=named or prefixed)
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"can't be read: {error.strerror or error}", where=path.name) from error
    except Exception as error:
        if not named and not prefixed:
            return None
        raise SourceError(f"the DICOM header is damaged ({error})", where=path.name) from error


def _no_dicom(head: bytes) -> str:
    return "is no DICOM file, in spite of its name" if head else "the file is empty"


def _interpret(path: Path, fields: Fields, *, sure: bool) -> Header | Other | None:
    values = fields.values
    modality = values.get("Modality", "").upper()
    sop_class = values.get("SOPClassUID", fields.media_class)
    kind = _STRUCTURES.get(sop_class, modality)
    sized = "Rows" in values and "Columns" in values
    if kind in _NOT_IMAGES or not sized:
        if kind not in _NOT_IMAGES and (
            "Image Storage" in class_name(sop_class) or (sure and not sop_class and not modality)
        ):
            raise SourceError("the header ends early: no image size in it", where=path.name)
        if not kind and not values.get("SeriesInstanceUID"):
            return None
        return Other(
            path,
            kind,
            values.get("PatientID", ""),
            values.get("StudyInstanceUID", ""),
            values.get("SeriesInstanceUID", ""),
            values.get("SeriesDescription", ""),
        )
    allocated = whole(values, "BitsAllocated", 0)
    stored = whole(values, "BitsStored", allocated)
    signed = values.get("PixelRepresentation") == "1"
    image_type = values.get("ImageType", "").upper()
    return Header(
        path=path,
        series=values.get("SeriesInstanceUID", ""),
        patient=values.get("PatientID", ""),
        modality=modality,
        number=whole_if(values, "SeriesNumber"),
        description=values.get("SeriesDescription", ""),
        image_type=tuple(image_type.split("\\")) if image_type else (),
        rows=whole(values, "Rows", 0),
        columns=whole(values, "Columns", 0),
        frames=whole(values, "NumberOfFrames", 1),
        samples=whole(values, "SamplesPerPixel", 1),
        photometric=values.get("PhotometricInterpretation", ""),
        spacing=pair(numbers(values, "PixelSpacing")),
        position=triple(numbers(values, "ImagePositionPatient")),
        orientation=six(numbers(values, "ImageOrientationPatient")),
        allocated=allocated,
        stored=stored,
        high_bit=whole(values, "HighBit", stored - 1),
        signed=signed,
        slope=float(values.get("RescaleSlope", 1)),
        intercept=float(values.get("RescaleIntercept", 0)),
        lookup="ModalityLUTSequence" in values,
        syntax=fields.syntax,
        pixels=fields.pixels,
        real=fields.real,
        study=values.get("StudyInstanceUID", ""),
        frame_of_reference=values.get("FrameOfReferenceUID", ""),
        instance=values.get("SOPInstanceUID", ""),
        sop_class=sop_class,
        acquisition=whole_if(values, "AcquisitionNumber"),
        echo=number_if(values, "EchoTime"),
        echo_number=whole_if(values, "EchoNumbers"),
        b_value=b_value(values),
        temporal=whole_if(values, "TemporalPositionIdentifier"),
        trigger=number_if(values, "TriggerTime"),
        padding=stored_value(values, "PixelPaddingValue", signed),
        padding_limit=stored_value(values, "PixelPaddingRangeLimit", signed),
        planar=whole(values, "PlanarConfiguration", 0),
    )
