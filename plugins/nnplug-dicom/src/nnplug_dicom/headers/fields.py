"""The few fields of a header that count, as text; read by pydicom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"

TAGS = {
    0x00080008: "ImageType",
    0x00080016: "SOPClassUID",
    0x00080018: "SOPInstanceUID",
    0x00080060: "Modality",
    0x0008103E: "SeriesDescription",
    0x00100020: "PatientID",
    0x00180081: "EchoTime",
    0x00180086: "EchoNumbers",
    0x00181060: "TriggerTime",
    0x00189087: "DiffusionBValue",
    0x00190010: "Creator19",
    0x0019100C: "SiemensBValue",
    0x0020000D: "StudyInstanceUID",
    0x0020000E: "SeriesInstanceUID",
    0x00200011: "SeriesNumber",
    0x00200012: "AcquisitionNumber",
    0x00200032: "ImagePositionPatient",
    0x00200037: "ImageOrientationPatient",
    0x00200052: "FrameOfReferenceUID",
    0x00200100: "TemporalPositionIdentifier",
    0x00280002: "SamplesPerPixel",
    0x00280004: "PhotometricInterpretation",
    0x00280006: "PlanarConfiguration",
    0x00280008: "NumberOfFrames",
    0x00280010: "Rows",
    0x00280011: "Columns",
    0x00280030: "PixelSpacing",
    0x00280100: "BitsAllocated",
    0x00280101: "BitsStored",
    0x00280102: "HighBit",
    0x00280103: "PixelRepresentation",
    0x00280120: "PixelPaddingValue",
    0x00280121: "PixelPaddingRangeLimit",
    0x00281052: "RescaleIntercept",
    0x00281053: "RescaleSlope",
    0x00283000: "ModalityLUTSequence",
    0x00430010: "Creator43",
    0x00431039: "GEBValue",
}
PADDING = {0x00280120, 0x00280121}
PIXELS = {0x7FE00008: "f4", 0x7FE00009: "f8", 0x7FE00010: ""}


class Fields(NamedTuple):
    """What a header says, not yet interpreted.

    Attributes:
        values: by keyword, the values of a field joined by a backslash as in the file; fields
            that are absent or empty are left out, and of a sequence only its name counts.
            Padding values are given as unsigned whatever the pixels are.
        media_class: MediaStorageSOPClassUID.
        syntax: transfer syntax UID.
        pixels: offset and length in bytes of the value of PixelData, or of FloatPixelData or
            DoubleFloatPixelData; None without any. Both are 0 where pydicom has to find it
            (deflated or big endian); the length of compressed data is 0xFFFFFFFF.
        real: numpy's name for the type of float pixels, "f4" or "f8"; "" for integers.
    """

    values: Mapping[str, str]
    media_class: str
    syntax: str
    pixels: tuple[int, int] | None
    real: str = ""


def read_fields(file: BinaryIO) -> Fields:
    """Read the header of any DICOM file or data set from its beginning; stop at the pixels."""
    from pydicom import config, dcmread
    from pydicom.dataset import Dataset

    with config.disable_value_validation():
        data = dcmread(file, stop_before_pixels=True, specific_tags=list(TAGS), force=True)
        meta = getattr(data, "file_meta", None) or Dataset()
        values = {word: text for tag, word in TAGS.items() if (text := _text(data, tag, word))}
        syntax = _text(meta, 0x00020010, "")
        pixels, real = _locate(file, deflated=syntax == DEFLATED, big=syntax == BIG_ENDIAN)
        return Fields(values, _text(meta, 0x00020002, ""), syntax, pixels, real)


def _text(data: Dataset, tag: int, word: str) -> str:
    if tag not in data:
        return ""
    element: Any = data[tag]
    if element.VR == "SQ":
        return word
    value = element.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace").split("\\")
    if tag in PADDING and isinstance(value, int):
        return str(value & 0xFFFF)
    single = isinstance(value, str) or not hasattr(value, "__iter__")
    return "\\".join(str(v).strip(" \0") for v in ([value] if single else value))


def _locate(file: BinaryIO, *, deflated: bool, big: bool) -> tuple[tuple[int, int] | None, str]:
    if deflated:
        return (0, 0), ""
    start = file.tell()
    head = file.read(12)
    if len(head) < 8:
        return None, ""
    order: Any = "big" if big else "little"
    tag = int.from_bytes(head[:2], order) << 16 | int.from_bytes(head[2:4], order)
    if tag not in PIXELS:
        return None, ""
    if big:
        return (0, 0), PIXELS[tag]
    if head[4:6] in (b"OW", b"OB", b"OF", b"OD"):
        return (start + 12, int.from_bytes(head[8:12], "little")), PIXELS[tag]
    return (start + 8, int.from_bytes(head[4:8], "little")), PIXELS[tag]
