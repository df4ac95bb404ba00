"""What a source of DICOM files holds, for ``nnplug scan`` and ``nnplug init``; headers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnplug.errors import SourceError
from nnplug.formats.itk import outline
from nnplug.types import Found, Source, Survey
from nnplug_dicom.cases.folders import STRUCTURES, CaseFiles, cases_by_folder, volumes
from nnplug_dicom.cases.index import Index, Series, group, images, is_localizer, others, read_tree
from nnplug_dicom.cases.patients import cases_by_id
from nnplug_dicom.cases.select import fits
from nnplug_dicom.headers.header import Other
from nnplug_dicom.labels.draw import names
from nnplug_dicom.options import ChannelRule
from nnplug_dicom.suggest import nearest, needed_rules, suggest_channels, suggest_labels
from nnplug_dicom.volumes.geometry import build_grid
from nnplug_dicom.volumes.pixels import stored_type


@dataclass(frozen=True)
class _Looked:
    """A case with its series, and those of them that can be read."""

    case: CaseFiles
    series: Sequence[tuple[Series, Found]]

    @property
    def usable(self) -> list[Series]:
        return [series for series, found in self.series if not found.problem]


def survey(root: Path) -> Survey:
    """List every series, structure set and label volume of a source, usable or not.

    Channels are suggested for what nearly every case has, labels for the regions nearest to the
    first channel, and options for what differs from the defaults.

    Raises:
        SourceError: there is no such folder.
    """
    if not root.is_dir():
        raise SourceError("there is no such folder", where=str(root))
    index = read_tree(root.absolute())
    cases, options = _cases(index)
    looked = [_look(case, index.root) for case in cases]
    channels = suggest_channels([one.usable for one in looked])
    regions = {
        other.path: _regions(other, index.root)
        for other in others(index.entries)
        if other.kind in STRUCTURES
    }
    kinds = _label_kinds(cases)
    if rules := needed_rules(channels):
        options["channels"] = rules
    if kinds not in ([], ["volume"]):
        options["labels"] = {"format": kinds[0]}
    return Survey(
        found=(
            *(_with_use(s, found, channels) for one in looked for s, found in one.series),
            *(found for found, _ in regions.values()),
            *(_beside(o, index.root) for o in others(index.entries) if o.path not in regions),
            *(_volume(path, index.root) for path in volumes(index.entries)),
            *(
                Found(_name(e.path, index.root), "DICOM", problem=e.problem)
                for e in index.entries
                if e.problem
            ),
        ),
        channels=dict(enumerate(channels or ["image"])),
        labels=_labels(looked, channels, kinds, {p: found for p, (_, found) in regions.items()}),
        options=options,
        unlabelled=not kinds,
    )


def _cases(index: Index) -> tuple[list[CaseFiles], dict[str, Any]]:
    cases = cases_by_folder(index, Source(index.root), one_exam=True)
    for case in cases:
        if len({h.patient for entries in case.groups for h in images(entries)} - {""}) > 1:
            return cases_by_id(index, study=False), {"cases": "patient"}
    return cases, {}


def _look(case: CaseFiles, root: Path) -> _Looked:
    found = [
        (series, _found(series, folder, root))
        for entries, folder in zip(case.groups, case.folders, strict=True)
        for series in group(images(entries), folder)
    ]
    return _Looked(case, found)


def _found(series: Series, folder: Path, root: Path) -> Found:
    first, size, spacing, problem = series.first, tuple[int, ...](), tuple[float, ...](), ""
    try:
        if is_localizer(first):
            raise SourceError("a localizer, taken to plan others")
        grid = build_grid(series.headers)
        size, spacing = grid.size, grid.spacing
        stored_type(first)
    except SourceError as error:
        problem = error.problem
    return Found(
        path=_name(folder / series.folder, root),
        kind=first.modality or "image",
        subject=first.patient,
        study=first.study[-8:],
        description=", ".join(filter(None, (first.description, series.part))),
        count=len(series.headers),
        size=size,
        spacing=spacing,
        problem=problem,
    )


def _with_use(series: Series, found: Found, channels: Mapping[str, ChannelRule]) -> Found:
    if found.problem:
        return found
    return replace(found, use=tuple(c for c, rule in channels.items() if fits(series, rule)))


def _regions(other: Other, root: Path) -> tuple[Found, list[str]]:
    found = replace(_beside(other, root), use=("label",), problem="")
    try:
        regions = names(other.path)
    except SourceError as error:
        return replace(found, use=(), problem=error.problem), []
    listed = ", ".join(regions)
    description = f"{found.description}: {listed}" if found.description else listed
    return replace(found, description=description), regions


def _beside(other: Other, root: Path) -> Found:
    return Found(
        path=_name(other.path, root),
        kind=other.kind or "DICOM",
        subject=other.patient,
        study=other.study[-8:],
        description=other.description,
        problem="neither image nor label",
    )


def _volume(path: Path, root: Path) -> Found:
    found = Found(_name(path, root), "volume", use=("label",))
    try:
        header = outline(path)
    except SourceError as error:
        return replace(found, use=(), problem=error.problem)
    return replace(found, size=header.size, spacing=header.spacing)


def _label_kinds(cases: Sequence[CaseFiles]) -> list[str]:
    """The kinds of labels that there are, that of the most cases first."""
    counts = dict.fromkeys(("volume", "seg", "rtstruct"), 0)
    for case in cases:
        structures = {other.path: other.kind.lower() for other in case.structures}
        paths = (case.label,) if case.label else (*case.volumes, *structures)
        for kind in {structures.get(path, "volume") for path in paths}:
            counts[kind] += 1
    return sorted((kind for kind in counts if counts[kind]), key=lambda kind: -counts[kind])


def _labels(
    looked: Sequence[_Looked],
    channels: Mapping[str, ChannelRule],
    kinds: Sequence[str],
    regions: Mapping[Path, Sequence[str]],
) -> dict[str, int]:
    rule = next(iter(channels.values()), None)
    each = []
    for one in looked:
        structures = [s for s in one.case.structures if [s.kind.lower()] == kinds[:1]]
        first = next((s for s in one.usable if rule and fits(s, rule)), None)
        near = nearest(structures, first) if first else structures
        each.append([name for other in near for name in regions.get(other.path, ())])
    return suggest_labels(each)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
