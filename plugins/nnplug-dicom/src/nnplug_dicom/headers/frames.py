"""From one file to its planes: frames of a multi-frame image, tiles of a mosaic.

A plane is a :class:`nnplug_dicom.headers.header.Header` like that of a file with one slice, with
``frame`` set; whatever looks at series then need not know where its planes come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nnplug.errors import SourceError
from nnplug_dicom.headers.header import Header
from nnplug_dicom.headers.mosaic import is_mosaic, split_mosaic
from nnplug_dicom.headers.parse import class_name, pair, six, triple

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_SHARED = "SharedFunctionalGroupsSequence"
_EACH = "PerFrameFunctionalGroupsSequence"
_RESCALING = "PixelValueTransformationSequence"
_DIMENSIONS = "DimensionIndexSequence"
_SPATIAL = {0x00200032, 0x00209056, 0x00209057}  # position, stack, position in the stack
_PLAIN = {f"1.2.840.10008.5.1.4.1.1.{n}" for n in (2, 4, 128)}  # CT, MR, PET; class_name is slow
_FRAME_TYPES = ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence")


def expand(header: Header) -> list[Header]:
    """Return one header a plane, in the order of the file.

    Frames take their geometry and rescaling from the functional groups (PS3.3, C.7.6.16):
    those of the frame, else the shared ones. What tells volumes at one place apart comes along:
    stack, echo time (ms), b-value, temporal position, trigger delay (ms), frame type, and the
    indices along those dimensions of the file that are not spatial (PS3.3, C.7.6.17).

    Returns:
        The header itself for an image of one plane, and where frames or tiles have no geometry
        of their own (NM, US, a mosaic without its private header): its pixels are refused.

    Raises:
        SourceError: the functional groups are damaged or don't fit the number of frames.
    """
    if header.frame is not None:
        return [header]
    if is_mosaic(header):
        return split_mosaic(header)
    if header.frames <= 1 and not _is_enhanced(header.sop_class):
        return [header]
    from pydicom import config, dcmread

    try:
        with config.disable_value_validation():
            data = dcmread(
                header.path,
                stop_before_pixels=True,
                force=True,
                specific_tags=[_SHARED, _EACH, _DIMENSIONS],
            )
            return _frames(header, data)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(
            f"the functional groups of its frames are damaged ({error})", where=header.name
        ) from error


def _is_enhanced(sop_class: str) -> bool:
    return sop_class not in _PLAIN and "Enhanced" in class_name(sop_class)


def _frames(header: Header, data: Dataset) -> list[Header]:
    each: Sequence[Dataset] = data.get(_EACH) or []
    shared: Mapping[str, Any] = (data.get(_SHARED) or [{}])[0]
    if not each:
        return [header]
    if len(each) != header.frames:
        raise SourceError(
            f"there are functional groups for {len(each)} frames, but {header.frames} frames",
            where=header.name,
        )
    pointers = [item.get("DimensionIndexPointer") for item in data.get(_DIMENSIONS) or []]
    telling = [number for number, pointer in enumerate(pointers) if pointer not in _SPATIAL]
    return [_plane(header, number, groups, shared, telling) for number, groups in enumerate(each)]


def _plane(
    header: Header, number: int, groups: Dataset, shared: Mapping[str, Any], telling: Sequence[int]
) -> Header:
    def value(macro: str, keyword: str) -> Any:
        for group in (groups, shared):
            if items := group.get(macro):
                return items[0].get(keyword)
        return None

    def numbers(macro: str, keyword: str) -> tuple[float, ...]:
        return tuple(float(v) for v in value(macro, keyword) or ())

    def number_or(default: Any, macro: str, keyword: str) -> Any:
        found = value(macro, keyword)
        return default if found is None else float(found)

    types = (value(macro, "FrameType") for macro in _FRAME_TYPES)
    temporal = value("FrameContentSequence", "TemporalPositionIndex")
    indices = list(_several(value("FrameContentSequence", "DimensionIndexValues")))
    return header._replace(
        frame=number,
        position=triple(numbers("PlanePositionSequence", "ImagePositionPatient")),
        orientation=six(numbers("PlaneOrientationSequence", "ImageOrientationPatient")),
        spacing=pair(numbers("PixelMeasuresSequence", "PixelSpacing")),
        slope=number_or(header.slope, _RESCALING, "RescaleSlope"),
        intercept=number_or(header.intercept, _RESCALING, "RescaleIntercept"),
        image_type=next((tuple(str(v) for v in t) for t in types if t), header.image_type),
        stack=str(value("FrameContentSequence", "StackID") or ""),
        temporal=header.temporal if temporal is None else int(temporal),
        echo=number_or(header.echo, "MREchoSequence", "EffectiveEchoTime"),
        b_value=number_or(header.b_value, "MRDiffusionSequence", "DiffusionBValue"),
        trigger=number_or(
            header.trigger, "CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"
        ),
        dimensions="/".join(str(indices[n]) for n in telling if n < len(indices)),
    )


def _several(value: Any) -> Sequence[Any]:
    return [value] if isinstance(value, int) else value or ()
