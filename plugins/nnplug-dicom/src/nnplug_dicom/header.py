"""One image's header: what grouping, geometry and pixels need, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import UID

from nnplug.errors import SourceError
from nnplug_dicom.fields import Fields, read_fields
from nnplug_dicom.probe import HEAD, SUFFIXES, is_dicom
from nnplug_dicom.scan import scan_fields

Triple = tuple[float, float, float]

_NOT_IMAGES = {
    *("SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "RTRECORD", "RTIMAGE", "REG", "SR", "PR", "KO"),
    *("ANN", "DOC", "FID", "RWV", "PLAN", "AU", "ECG", "SM"),
}


@dataclass(frozen=True, slots=True)
class Header:
    """What one DICOM image says about itself.

    Attributes:
        path: its file.
        series: SeriesInstanceUID, or "" where it was removed.
        patient: PatientID, or "".
        modality: Modality, upper case.
        number: SeriesNumber.
        description: SeriesDescription, or "".
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
        pixels: where PixelData is, see :class:`nnplug_dicom.fields.Fields`; None without it.
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


def read_header(path: Path) -> Header | None:
    """Read the header of one file, without its pixels.

    Returns:
        The header, or None for a file that is not DICOM or holds no image (RTSTRUCT, SEG,
        DICOMDIR, reports, ...).

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


def _interpret(path: Path, fields: Fields, *, sure: bool) -> Header | None:
    values = fields.values
    modality = values.get("Modality", "").upper()
    kind = values.get("SOPClassUID", fields.media_class)
    if modality in _NOT_IMAGES:
        return None
    if "Rows" not in values or "Columns" not in values:
        if "Image Storage" in UID(kind).name or (sure and not kind and not modality):
            raise SourceError("the header ends early: no image size in it", where=path.name)
        return None
    allocated = _whole(values, "BitsAllocated", 0)
    stored = _whole(values, "BitsStored", allocated)
    image_type = values.get("ImageType", "").upper()
    return Header(
        path=path,
        series=values.get("SeriesInstanceUID", ""),
        patient=values.get("PatientID", ""),
        modality=modality,
        number=_whole(values, "SeriesNumber", 0) if "SeriesNumber" in values else None,
        description=values.get("SeriesDescription", ""),
        image_type=tuple(image_type.split("\\")) if image_type else (),
        rows=_whole(values, "Rows", 0),
        columns=_whole(values, "Columns", 0),
        frames=_whole(values, "NumberOfFrames", 1),
        samples=_whole(values, "SamplesPerPixel", 1),
        photometric=values.get("PhotometricInterpretation", ""),
        spacing=_pair(_numbers(values, "PixelSpacing")),
        position=_triple(_numbers(values, "ImagePositionPatient")),
        orientation=_six(_numbers(values, "ImageOrientationPatient")),
        allocated=allocated,
        stored=stored,
        high_bit=_whole(values, "HighBit", stored - 1),
        signed=values.get("PixelRepresentation") == "1",
        slope=float(values.get("RescaleSlope", 1)),
        intercept=float(values.get("RescaleIntercept", 0)),
        lookup="ModalityLUTSequence" in values,
        syntax=fields.syntax,
        pixels=fields.pixels,
    )


def _whole(values: Mapping[str, str], keyword: str, default: int) -> int:
    return int(float(values[keyword])) if keyword in values else default


def _numbers(values: Mapping[str, str], keyword: str) -> tuple[float, ...]:
    text = values.get(keyword)
    return tuple(float(v) for v in text.split("\\")) if text else ()


def _pair(values: tuple[float, ...]) -> tuple[float, float] | None:
    return (values[0], values[1]) if len(values) == 2 else None


def _triple(values: tuple[float, ...]) -> Triple | None:
    return (values[0], values[1], values[2]) if len(values) == 3 else None


def _six(values: tuple[float, ...]) -> tuple[float, ...] | None:
    return values if len(values) == 6 else None
