"""One file's header: what grouping, geometry and pixels need, and nothing else."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from nnplug.errors import SourceError
from nnplug_dicom.headers.fields import TAGS, Fields, read_fields
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
from nnplug_dicom.headers.probe import SUFFIXES, is_dicom
from nnplug_dicom.headers.scan import WINDOWS, scan_fields

_NOT_IMAGES = {
    *("SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "RTRECORD", "RTIMAGE", "REG", "SR", "PR", "KO"),
    *("ANN", "DOC", "FID", "RWV", "PLAN", "AU", "ECG", "SM"),
}
_STRUCTURES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    "1.2.840.10008.5.1.4.1.1.66.7": "SEG",
    "1.2.840.10008.5.1.4.1.1.481.3": "RTSTRUCT",
}
_EACH = {
    *("SOPInstanceUID", "ImagePositionPatient", "AcquisitionNumber", "TriggerTime"),
    *("RescaleSlope", "RescaleIntercept"),
}
_STEADY = tuple(word for word in TAGS.values() if word not in _EACH)


class Header(NamedTuple):
    """What one DICOM image says about itself; "" or None where it says nothing.

    A file with several planes (multi-frame, mosaic) has one header a plane.

    Attributes:
        file: the path of its file.
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
        orientation: ImageOrientationPatient: direction cosines of a row, then of a column.
        allocated: BitsAllocated.
        stored: BitsStored.
        high_bit: HighBit.
        signed: PixelRepresentation is 1.
        lookup: there is a Modality LUT in place of slope and intercept.
        syntax: transfer syntax UID.
        position: ImagePositionPatient in mm (LPS), the centre of the first pixel.
        slope: RescaleSlope, 1 where absent.
        intercept: RescaleIntercept, 0 where absent.
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

    file: str
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
    orientation: tuple[float, ...] | None
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    lookup: bool
    syntax: str
    position: Triple | None = None
    slope: float = 1.0
    intercept: float = 0.0
    pixels: tuple[int, int] | None = None
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

    @property
    def path(self) -> Path:
        """Its file."""
        return Path(self.file)

    @property
    def name(self) -> str:
        """The name of its file."""
        return os.path.basename(self.file)


class Other(NamedTuple):
    """A DICOM object that is no image: a structure set, a segmentation, a report, a dose.

    Attributes:
        file: the path of its file.
        kind: ``SEG``, ``RTSTRUCT``, or another modality, or "".
        patient: PatientID.
        study: StudyInstanceUID.
        series: SeriesInstanceUID.
        description: SeriesDescription.
    """

    file: str
    kind: str
    patient: str = ""
    study: str = ""
    series: str = ""
    description: str = ""

    @property
    def path(self) -> Path:
        """Its file."""
        return Path(self.file)


def read_header(file: str | Path) -> Header | None:
    """Read the header of one image file; None for all others, see :func:`read_object`."""
    found = read_object(file)
    return found if isinstance(found, Header) else None


def read_object(file: str | Path) -> Header | Other | None:
    """Read the header of one file, without its pixels.

    Returns:
        The header, or what else the file holds, or None for a file that is not DICOM (or a
        DICOMDIR).

    Raises:
        SourceError: a file that should be an image is empty, cut off or damaged.
    """
    file = os.fspath(file)
    name = os.path.basename(file)
    named, prefixed = name.lower().endswith(SUFFIXES), False
    try:
        with open(file, "rb") as stream:
            head = stream.read(WINDOWS[0])
            if not is_dicom(head):
                if named:
                    raise SourceError(_no_dicom(head), where=name)
                return None
            prefixed = head[128:132] == b"DICM"
            fields = scan_fields(stream, head)
            if fields is None:
                stream.seek(0)
                fields = read_fields(stream)
            return _interpret(file, fields, sure=named or prefixed)
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"can't be read: {error.strerror or error}", where=name) from error
    except Exception as error:
        if not named and not prefixed:
            return None
        raise SourceError(f"the DICOM header is damaged ({error})", where=name) from error


def _no_dicom(head: bytes) -> str:
    return "is no DICOM file, in spite of its name" if head else "the file is empty"


def _interpret(file: str, fields: Fields, *, sure: bool) -> Header | Other | None:
    values = fields.values
    modality = values.get("Modality", "").upper()
    sop_class = values.get("SOPClassUID", fields.media_class)
    kind = _STRUCTURES.get(sop_class, modality)
    sized = "Rows" in values and "Columns" in values
    if kind in _NOT_IMAGES or not sized:
        if kind not in _NOT_IMAGES and (
            "Image Storage" in class_name(sop_class) or (sure and not sop_class and not modality)
        ):
            raise SourceError(
                "the header ends early: no image size in it", where=os.path.basename(file)
            )
        if not kind and not values.get("SeriesInstanceUID"):
            return None
        return Other(
            file,
            kind,
            values.get("PatientID", ""),
            values.get("StudyInstanceUID", ""),
            values.get("SeriesInstanceUID", ""),
            values.get("SeriesDescription", ""),
        )
    steady = _steady(tuple(map(values.get, _STEADY)), sop_class, fields.syntax, fields.real)
    return steady._replace(
        file=file,
        instance=values.get("SOPInstanceUID", ""),
        position=triple(numbers(values, "ImagePositionPatient")),
        acquisition=whole_if(values, "AcquisitionNumber"),
        trigger=number_if(values, "TriggerTime"),
        slope=float(values.get("RescaleSlope", 1)),
        intercept=float(values.get("RescaleIntercept", 0)),
        pixels=fields.pixels,
    )


@lru_cache(maxsize=64)
def _steady(texts: tuple[str | None, ...], sop_class: str, syntax: str, real: str) -> Header:
    """What the slices of a series mostly have in common, interpreted once; no file yet."""
    values = {word: text for word, text in zip(_STEADY, texts, strict=True) if text is not None}
    allocated = whole(values, "BitsAllocated", 0)
    stored = whole(values, "BitsStored", allocated)
    signed = values.get("PixelRepresentation") == "1"
    image_type = values.get("ImageType", "").upper()
    return Header(
        file="",
        series=values.get("SeriesInstanceUID", ""),
        patient=values.get("PatientID", ""),
        modality=values.get("Modality", "").upper(),
        number=whole_if(values, "SeriesNumber"),
        description=values.get("SeriesDescription", ""),
        image_type=tuple(image_type.split("\\")) if image_type else (),
        rows=whole(values, "Rows", 0),
        columns=whole(values, "Columns", 0),
        frames=whole(values, "NumberOfFrames", 1),
        samples=whole(values, "SamplesPerPixel", 1),
        photometric=values.get("PhotometricInterpretation", ""),
        spacing=pair(numbers(values, "PixelSpacing")),
        orientation=six(numbers(values, "ImageOrientationPatient")),
        allocated=allocated,
        stored=stored,
        high_bit=whole(values, "HighBit", stored - 1),
        signed=signed,
        lookup="ModalityLUTSequence" in values,
        syntax=syntax,
        real=real,
        study=values.get("StudyInstanceUID", ""),
        frame_of_reference=values.get("FrameOfReferenceUID", ""),
        sop_class=sop_class,
        echo=number_if(values, "EchoTime"),
        echo_number=whole_if(values, "EchoNumbers"),
        b_value=b_value(values),
        temporal=whole_if(values, "TemporalPositionIdentifier"),
        padding=stored_value(values, "PixelPaddingValue", signed),
        padding_limit=stored_value(values, "PixelPaddingRangeLimit", signed),
        planar=whole(values, "PlanarConfiguration", 0),
    )
