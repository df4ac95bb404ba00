"""How a source could be described: its channels and labels, from what most cases have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from glob import escape
from typing import Any

from nnplug_dicom.cases.index import Series
from nnplug_dicom.cases.select import MODALITIES, original_first
from nnplug_dicom.headers.header import Other
from nnplug_dicom.options import ChannelRule

NEARLY_ALL = 0.9
_NAMES = {"CT": "CT", "MR": "MR", "PT": "PET"}
_KEYS = ("description", "folder", "number", "part")


def suggest_channels(cases: Sequence[Sequence[Series]]) -> dict[str, ChannelRule]:
    """Suggest a channel for each kind of series that nearly every case has once.

    Where a modality occurs several times in a case, descriptions, folders, numbers or parts
    tell its series apart, the first of these that does.

    Args:
        cases: the usable series of each case.

    Returns:
        Channel name to the rule that finds it; CT, MR and PET first.
    """
    cases = [series for series in cases if series]
    order = [*_NAMES, *sorted({s.first.modality for case in cases for s in case} - {*_NAMES})]
    channels: dict[str, ChannelRule] = {}
    for modality in order:
        found = [[s for s in case if s.first.modality == modality] for case in cases]
        if not modality or not _nearly([bool(series) for series in found]):
            continue
        name = _NAMES.get(modality, modality)
        if _nearly([len(original_first(series)) == 1 for series in found]):
            channels[name] = ChannelRule(modality=modality)
        else:
            channels |= _told_apart(name, modality, found)
    return channels


def needed_rules(channels: Mapping[str, ChannelRule]) -> dict[str, dict[str, str | int]]:
    """Return the rules of the channels whose names don't tell, as they stand in a config."""
    rules = {}
    for name, rule in channels.items():
        only_modality = rule == ChannelRule(modality=rule.modality)
        if not (only_modality and MODALITIES.get(name.lower()) == rule.modality):
            values = {"modality": rule.modality, **{key: getattr(rule, key) for key in _KEYS}}
            rules[name] = {key: value for key, value in values.items() if value is not None}
    return rules if len(channels) > 1 or any(len(rule) > 1 for rule in rules.values()) else {}


def suggest_labels(names: Sequence[Sequence[str]]) -> dict[str, int]:
    """Suggest labels for the regions that at least half of the cases have, else for all.

    Args:
        names: what the regions of each case are called.

    Returns:
        Label name to value, the background among them; nothing without regions.
    """
    counts = Counter(name for case in names for name in set(case))
    common = [name for name, count in counts.items() if 2 * count >= len(names)]
    regions = sorted(common or counts)
    return {"background": 0, **{name: n for n, name in enumerate(regions, 1)}} if regions else {}


def nearest(structures: Sequence[Other], series: Series) -> list[Other]:
    """Return the structures whose folders are nearest to that of a series."""
    folder = series.first.path.parent

    def shared(other: Other) -> int:
        return sum(parent in folder.parents or parent == folder for parent in other.path.parents)

    most = max(map(shared, structures), default=0)
    return [other for other in structures if shared(other) == most]


def _told_apart(
    name: str, modality: str, cases: Sequence[Sequence[Series]]
) -> dict[str, ChannelRule]:
    for key in _KEYS:
        values = [[_value(series, key) for series in case] for case in cases]
        distinct = sorted({v for case in values for v in case if v not in (None, "", ".")}, key=str)
        told = [v for v in distinct if _nearly([case.count(v) == 1 for case in values])]
        if told:
            return {f"{name}_{_word(value)}": _rule(modality, key, value) for value in told}
    return {name: ChannelRule(modality=modality)}


def _rule(modality: str, key: str, value: str | int) -> ChannelRule:
    told: dict[str, Any] = {key: escape(value) if isinstance(value, str) else value}
    return ChannelRule(modality=modality, **told)


def _value(series: Series, key: str) -> str | int | None:
    value: str | int | None = getattr(series if key in ("folder", "part") else series.first, key)
    return value


def _word(value: str | int) -> str:
    return re.sub(r"\W+", "_", str(value)).strip("_")


def _nearly(true: Sequence[bool]) -> bool:
    return sum(true) >= NEARLY_ALL * len(true)
