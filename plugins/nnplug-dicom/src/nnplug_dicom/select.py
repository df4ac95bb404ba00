"""Which series of a case is which channel."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NoReturn

from nnplug.errors import SourceError
from nnplug_dicom.index import Series
from nnplug_dicom.options import ChannelRule

_MODALITIES = {
    "ct": "CT",
    "pet": "PT",
    "pt": "PT",
    "mr": "MR",
    "mri": "MR",
    "nm": "NM",
    "spect": "NM",
    "us": "US",
    "cbct": "CT",
}
_NO_MEANING = {"image", "images", "scan", "volume", "channel", "series", "dicom"}
_ALIASES = {"t1w": "t1", "t2w": "t2", "pdw": "pd"}
_LISTED = 12


def select(
    series: Sequence[Series],
    channels: Mapping[int, str],
    rules: Mapping[str, ChannelRule],
) -> list[Series]:
    """Choose one series a channel, or refuse; never the likeliest of several.

    Localizers and single images only come into question where nothing else fits. A rule (by
    the channel's name or number) decides alone. Without one, a single channel takes the only
    series there is; otherwise the channel's name has to tell: a modality such as ``CT``,
    ``PET`` or ``MRI`` in it must be the series', and its other words (``T1`` in ``MR_T1``)
    must all stand in the description or the folder's name.

    Args:
        series: the image series of the case.
        channels: number to name.
        rules: by channel name or number.

    Returns:
        One series a channel, in the order of the channels' numbers.

    Raises:
        SourceError: no series or more than one fits a channel, or one fits two channels.
    """
    if not series:
        raise SourceError("there is no DICOM image in it")
    chosen = []
    for number in sorted(channels):
        rule = rules.get(channels[number]) or rules.get(str(number))
        if rule is not None:
            found = _stackable_first([s for s in series if _fits(s, rule)])
        elif len(channels) == 1 and len(_stackable_first(series)) == 1:
            found = _stackable_first(series)
        else:
            found = _by_name(_stackable_first(series), channels[number])
        if len(found) != 1:
            _refuse(series, found, number, channels[number], by_rule=rule is not None)
        chosen.append(found[0])
    for position, one in enumerate(chosen):
        if any(one is other for other in chosen[:position]):
            raise SourceError(
                f"one series fits two channels: {one}",
                hint="say which series each channel is with converter.channels",
            )
    return chosen


def unknown_rules(rules: Mapping[str, ChannelRule], channels: Mapping[int, str]) -> list[str]:
    """Return the keys of rules that name no channel."""
    known = {*channels.values(), *(str(number) for number in channels)}
    return [key for key in rules if key not in known]


def _stackable_first(series: Sequence[Series]) -> list[Series]:
    return [s for s in series if s.stackable or s.first.frames > 1] or list(series)


def _fits(series: Series, rule: ChannelRule) -> bool:
    first = series.first
    return (
        (rule.modality is None or rule.modality.upper() == first.modality)
        and (rule.number is None or rule.number == first.number)
        and (rule.description is None or _like(first.description, rule.description))
        and (rule.folder is None or _like(series.folder, rule.folder))
    )


def _like(text: str, pattern: str) -> bool:
    return fnmatchcase(text.lower(), pattern.lower())


def _by_name(series: Sequence[Series], name: str) -> list[Series]:
    words = _words(name)
    modality = next((_MODALITIES[w] for w in words if w in _MODALITIES), None)
    rest = {w for w in words if w not in _MODALITIES and w not in _NO_MEANING}
    if modality is None and not rest:
        return list(series)
    return [
        s
        for s in series
        if (modality is None or s.first.modality == modality)
        and (rest <= set(_words(s.first.description)) or rest <= set(_words(s.folder)))
    ]


def _words(text: str) -> list[str]:
    found = re.findall(r"[^\W_]+", text.lower())
    return [_ALIASES.get(w, w) for w in found]


def _refuse(
    series: Sequence[Series],
    found: Sequence[Series],
    number: int,
    name: str,
    *,
    by_rule: bool,
) -> NoReturn:
    what = f"the rule for channel {number} '{name}'" if by_rule else f"channel {number} '{name}'"
    if not found and not by_rule and _one_uid(volumes := _stackable_first(series)):
        found = volumes
    if not found:
        raise SourceError(
            f"no series fits {what}; there is: {_listed(series)}",
            hint=_advice(series[0], name),
        )
    if _one_uid(found):
        raise SourceError(
            f"the series for channel {number} '{name}' mixes {_difference(found)} under one "
            f"SeriesInstanceUID: {_listed(found)}",
            hint="move the images that don't belong to the volume out of the case's folder",
        )
    raise SourceError(
        f"{len(found)} series fit {what}: {_listed(found)}",
        hint=_advice(found[0], name, _telling(found)),
    )


def _one_uid(series: Sequence[Series]) -> bool:
    return len(series) > 1 and len({s.first.series for s in series} | {""}) == 2


def _difference(found: Sequence[Series]) -> str:
    if len({(s.first.rows, s.first.columns) for s in found}) > 1:
        return f"{len(found)} image sizes"
    orientations = {s.first.orientation for s in found}
    if len(orientations) > 1:
        return f"{len(orientations)} orientations"
    return f"{len(found)} pixel spacings"


def _telling(found: Sequence[Series]) -> str:
    for key in ("number", "description"):
        if len({getattr(s.first, key) for s in found}) == len(found):
            return key
    return "folder"


def _advice(example: Series, name: str, key: str = "number") -> str:
    first = example.first
    if key == "number" and first.number is None:
        key = "folder"
    value = example.folder if key == "folder" else getattr(first, key)
    return (
        f"choose one with converter.channels.{name}.{key}=..., e.g. {value!r}; modality, "
        "description, number and folder can be given, the texts with * and ?"
    )


def _listed(series: Sequence[Series]) -> str:
    more = f" and {len(series) - _LISTED} more" if len(series) > _LISTED else ""
    return "; ".join(str(s) for s in series[:_LISTED]) + more
