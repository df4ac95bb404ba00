"""The few fields of a header that count, as text; read by pydicom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from pydicom import config as pydicom_config
from pydicom import dcmread
from pydicom.dataset import Dataset

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"

TAGS = {
    0x00080008: "ImageType",
    0x00080016: "SOPClassUID",
    0x00080060: "Modality",
    0x0008103E: "SeriesDescription",
    0x00100020: "PatientID",
    0x0020000E: "SeriesInstanceUID",
    0x00200011: "SeriesNumber",
    0x00200032: "ImagePositionPatient",
    0x00200037: "ImageOrientationPatient",
    0x00280002: "SamplesPerPixel",
    0x00280004: "PhotometricInterpretation",
    0x00280008: "NumberOfFrames",
    0x00280010: "Rows",
    0x00280011: "Columns",
    0x00280030: "PixelSpacing",
    0x00280100: "BitsAllocated",
    0x00280101: "BitsStored",
    0x00280102: "HighBit",
    0x00280103: "PixelRepresentation",
    0x00281052: "RescaleIntercept",
    0x00281053: "RescaleSlope",
    0x00283000: "ModalityLUTSequence",
}
_PIXEL_DATA = b"\xe0\x7f\x10\x00"


@dataclass(frozen=True)
class Fields:
    """What a header says, not yet interpreted.

    Attributes:
        values: by keyword, the values of a field joined by a backslash as in the file; fields
            that are absent or empty are left out, and of a sequence only its name counts.
        media_class: MediaStorageSOPClassUID.
        syntax: transfer syntax UID.
        pixels: offset and length in bytes of the value of PixelData, or None without it. Both
            are 0 where pydicom has to find it (deflated or big endian); the length of
            compressed data is 0xFFFFFFFF.
    """

    values: Mapping[str, str]
    media_class: str
    syntax: str
    pixels: tuple[int, int] | None


def read_fields(file: BinaryIO) -> Fields:
    """Read the header of any DICOM file or data set from its beginning; stop at the pixels."""
    with pydicom_config.disable_value_validation():
        data = dcmread(file, stop_before_pixels=True, specific_tags=list(TAGS.values()), force=True)
        meta = getattr(data, "file_meta", None) or Dataset()
        values = {word: text for word in TAGS.values() if (text := _text(data, word))}
        syntax = _text(meta, "TransferSyntaxUID")
        if syntax in (DEFLATED, BIG_ENDIAN):
            pixels: tuple[int, int] | None = (0, 0)
        else:
            pixels = _locate(file)
        return Fields(values, _text(meta, "MediaStorageSOPClassUID"), syntax, pixels)


def _text(data: Dataset, keyword: str) -> str:
    if keyword not in data:
        return ""
    element: Any = data[keyword]
    if element.VR == "SQ":
        return keyword
    value = element.value
    if value is None:
        return ""
    single = isinstance(value, str) or not hasattr(value, "__iter__")
    return "\\".join(str(v).strip(" \0") for v in ([value] if single else value))


def _locate(file: BinaryIO) -> tuple[int, int] | None:
    start = file.tell()
    head = file.read(12)
    if len(head) < 8 or head[:4] != _PIXEL_DATA:
        return None
    if head[4:6] in (b"OW", b"OB"):
        return start + 12, int.from_bytes(head[8:12], "little")
    return start + 8, int.from_bytes(head[4:8], "little")
