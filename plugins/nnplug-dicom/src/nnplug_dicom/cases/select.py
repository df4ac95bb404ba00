"""Which series of a case is which channel."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NoReturn

from nnplug.errors import SourceError
from nnplug_dicom.cases.index import Series, is_derived
from nnplug_dicom.options import ChannelRule

MODALITIES = {
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

    Localizers, single images and images without a position only come into question where
    nothing else fits. A rule (by the channel's name or number) decides alone. Without one, a
    single channel takes the only series there is; otherwise the channel's name has to tell: a
    modality such as ``CT``, ``PET`` or ``MRI`` in it must be the series', and its other words
    (``T1`` in ``MR_T1``) must all stand in the description or the folder's name. If several
    fit, of which one alone is not derived from others, that one is taken.

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
            found = _stackable_first([s for s in series if fits(s, rule)])
        elif len(channels) == 1 and len(_stackable_first(series)) == 1:
            found = _stackable_first(series)
        else:
            found = original_first(_by_name(_stackable_first(series), channels[number]))
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


def original_first(series: Sequence[Series]) -> list[Series]:
    """Return the only series that is not derived from others, or all."""
    originals = [s for s in series if not is_derived(s.first)]
    return originals if len(originals) == 1 else list(series)


def fits(series: Series, rule: ChannelRule) -> bool:
    """Tell whether every key of the rule fits."""
    first = series.first
    return (
        (rule.modality is None or rule.modality.upper() == first.modality)
        and (rule.number is None or rule.number == first.number)
        and (rule.description is None or _like(first.description, rule.description))
        and (rule.folder is None or _like(series.folder, rule.folder))
        and (rule.part is None or _like(series.part, rule.part))
    )


def _like(text: str, pattern: str) -> bool:
    return fnmatchcase(text.lower(), pattern.lower())


def _by_name(series: Sequence[Series], name: str) -> list[Series]:
    words = _words(name)
    modality = next((MODALITIES[w] for w in words if w in MODALITIES), None)
    rest = {w for w in words if w not in MODALITIES and w not in _NO_MEANING}
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
    key = _telling(found)
    if _one_uid(found) and (mixed := _difference(found)):
        raise SourceError(
            f"the series for channel {number} '{name}' mixes {mixed} under one "
            f"SeriesInstanceUID: {_listed(found)}",
            hint="move the images that don't belong to the volume out of the case's folder"
            if key == "folder"
            else _advice(found[0], name, key),
        )
    kind = "volumes of one series" if key == "part" else "series"
    raise SourceError(
        f"{len(found)} {kind} fit {what}: {_listed(found)}", hint=_advice(found[0], name, key)
    )


def _one_uid(series: Sequence[Series]) -> bool:
    return len(series) > 1 and len({s.first.series for s in series} | {""}) == 2


def _difference(found: Sequence[Series]) -> str:
    heads = [s.first for s in found]
    counts = {
        "image sizes": len({(h.rows, h.columns) for h in heads}),
        "orientations": len({h.orientation for h in heads}),
        "pixel spacings": len({h.spacing for h in heads}),
        "modalities": len({h.modality for h in heads}),
        "kinds of image (original and derived)": len({is_derived(h) for h in heads}),
    }
    return next((f"{count} {what}" for what, count in counts.items() if count > 1), "")


def _telling(found: Sequence[Series]) -> str:
    for key in ("number", "description"):
        if len({getattr(s.first, key) for s in found}) == len(found):
            return key
    return "part" if len({s.part for s in found}) == len(found) else "folder"


def _advice(example: Series, name: str, key: str = "number") -> str:
    first = example.first
    if key == "number" and first.number is None:
        key = "folder"
    value = getattr(example if key in ("folder", "part") else first, key)
    return (
        f"choose one with converter.channels.{name}.{key}=..., e.g. {value!r}; modality, "
        "description, number, folder and part can be given, the texts with * and ?"
    )


def _listed(series: Sequence[Series]) -> str:
    more = f" and {len(series) - _LISTED} more" if len(series) > _LISTED else ""
    return "; ".join(str(s) for s in series[:_LISTED]) + more
