"""What the text of a header's fields means."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

Triple = tuple[float, float, float]


def class_name(uid: str) -> str:
    """The standard's name of a SOP class, or the UID itself."""
    from pydicom import config
    from pydicom.uid import UID

    return UID(uid, validation_mode=config.IGNORE).name


def b_value(values: Mapping[str, str]) -> float | None:
    """The standard's b-value, else Siemens' (0019,100C), else GE's first of (0043,1039).

    GE adds 1e9 to some.
    """
    if "DiffusionBValue" in values:
        return number_if(values, "DiffusionBValue")
    if values.get("Creator19") == "SIEMENS MR HEADER":
        return number_if(values, "SiemensBValue")
    if values.get("Creator43") == "GEMS_PARM_01":
        found = number_if(values, "GEBValue")
        return found if found is None else found % 1e9
    return None


def stored_value(values: Mapping[str, str], keyword: str, signed: bool) -> int | None:
    """A padding value, which is given as unsigned, in the type of the pixels."""
    found = whole_if(values, keyword)
    return found - 0x10000 if found is not None and signed and found >= 0x8000 else found


def whole_if(values: Mapping[str, str], keyword: str) -> int | None:
    """The first value as a whole number, or None."""
    found = number_if(values, keyword)
    return None if found is None else int(found)


def number_if(values: Mapping[str, str], keyword: str) -> float | None:
    """The first value as a finite number, or None."""
    try:
        found = float(values[keyword].split("\\")[0])
    except (KeyError, ValueError):
        return None
    return found if isfinite(found) else None


def whole(values: Mapping[str, str], keyword: str, default: int) -> int:
    """The value as a whole number; ValueError if it is none."""
    return int(float(values[keyword])) if keyword in values else default


def numbers(values: Mapping[str, str], keyword: str) -> tuple[float, ...]:
    """All values, none where the field is absent; ValueError if one is no number."""
    text = values.get(keyword)
    return tuple(float(v) for v in text.split("\\")) if text else ()


def pair(values: tuple[float, ...]) -> tuple[float, float] | None:
    """The values if there are two."""
    return (values[0], values[1]) if len(values) == 2 else None


def triple(values: tuple[float, ...]) -> Triple | None:
    """The values if there are three."""
    return (values[0], values[1], values[2]) if len(values) == 3 else None


def six(values: tuple[float, ...]) -> tuple[float, ...] | None:
    """The values if there are six."""
    return values if len(values) == 6 else None
