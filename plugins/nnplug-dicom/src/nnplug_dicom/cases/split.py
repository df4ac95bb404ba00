"""Several volumes under one series: which attribute tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from operator import mul

from nnplug_dicom.headers.header import Header

SAME_PLACE_MM = 0.01

_Kind = tuple[str, Callable[[Header], float | int | str | None]]

_ALWAYS: tuple[_Kind, ...] = (
    ("b={}", lambda h: h.b_value),
    ("echo {}", lambda h: h.echo_number),
)
_WHERE_REPEATED: tuple[_Kind, ...] = (
    ("time {}", lambda h: h.temporal),
    ("type {}", lambda h: "/".join(h.image_type)),
    ("TE {} ms", lambda h: h.echo),
    ("stack {}", lambda h: h.stack),
    ("acquisition {}", lambda h: h.acquisition),
    ("trigger {} ms", lambda h: h.trigger),
    ("dimension {}", lambda h: h.dimensions),
)


def split(headers: Sequence[Header]) -> list[tuple[list[Header], str]]:
    """Split images of one series, orientation and size into volumes, each with what it is.

    - Images of different b-values or echo numbers are always apart.
    - TemporalPositionIdentifier, ImageType, EchoTime, StackID, AcquisitionNumber, TriggerTime
      and other dimensions also vary within one volume (by slice, or between its halves). So one
      of them splits only where positions repeat, and only into parts that each have several
      positions of which at least half are another part's too. The first that leaves no position
      repeated is taken; if none does, the first that fits, and the parts are split further.
    - What still repeats positions stays together, to be refused as it is.

    Args:
        headers: images with equal orientation.

    Returns:
        The volumes in the order of their first images, and for each the values that tell it
        apart, such as ``b=1000`` or ``time 2, echo 1``; "" where there is only one.
    """
    groups = [(list(headers), "")]
    for kind in _ALWAYS:
        groups = [
            (part, _joined(text, name))
            for group, text in groups
            for part, name in _parts(group, kind)
        ]
    return [(part, _joined(text, name)) for group, text in groups for part, name in _volumes(group)]


def _volumes(headers: list[Header]) -> list[tuple[list[Header], str]]:
    places = _places(headers)
    if not _repeated(headers, places):
        return [(headers, "")]
    fitting = []
    for kind in _WHERE_REPEATED:
        parts = _parts(headers, kind)
        if len(parts) > 1 and _overlap([part for part, _ in parts], places):
            if not any(_repeated(part, places) for part, _ in parts):
                return parts
            fitting.append(parts)
    if not fitting:
        return [(headers, "")]
    return [
        (volume, _joined(text, name))
        for part, text in fitting[0]
        for volume, name in _volumes(part)
    ]


def _parts(headers: Sequence[Header], kind: _Kind) -> list[tuple[list[Header], str]]:
    form, value = kind
    groups: dict[object, list[Header]] = {}
    for header in headers:
        groups.setdefault(value(header), []).append(header)
    if len(groups) == 1:
        return [(list(headers), "")]
    return [(group, form.format(_short(key))) for key, group in groups.items()]


def _short(value: object) -> str:
    if value is None or value == "":
        return "unknown"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _joined(*texts: str) -> str:
    return ", ".join(text for text in texts if text)


def _places(headers: Sequence[Header]) -> dict[int, int]:
    """Number the positions along the normal; by ``id`` of the header."""
    first = headers[0].orientation
    if first is None:
        return {id(h): 0 for h in headers}
    (a, b, c), (d, e, f) = first[:3], first[3:]
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    along = sorted(
        ((sum(map(mul, normal, h.position)) if h.position else 0.0), i)
        for i, h in enumerate(headers)
    )
    places, number, last = {}, 0, along[0][0]
    for distance, index in along:
        number += distance - last >= SAME_PLACE_MM
        places[id(headers[index])] = number
        last = distance
    return places


def _repeated(headers: Sequence[Header], places: dict[int, int]) -> bool:
    return len({places[id(h)] for h in headers}) < len(headers)


def _overlap(parts: Sequence[Sequence[Header]], places: dict[int, int]) -> bool:
    covered = [{places[id(h)] for h in part} for part in parts]
    counts = Counter(place for places_of_part in covered for place in places_of_part)
    return all(
        len(found) > 1 and 2 * sum(counts[place] > 1 for place in found) >= len(found)
        for found in covered
    )
