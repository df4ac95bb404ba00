"""From the files of a case to what of them will be read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from nnplug.errors import SourceError
from nnplug.types import CaseSource, Source
from nnplug_dicom.cases.folders import CaseFiles
from nnplug_dicom.cases.index import Series, group, images, others
from nnplug_dicom.cases.labelling import find_label
from nnplug_dicom.cases.select import select
from nnplug_dicom.options import DicomOptions


def plan_case(case: CaseFiles, source: Source, options: DicomOptions) -> CaseSource:
    """Choose the series of each channel and the label; the subject is the PatientID.

    Returns:
        The case. Its ``details`` hold ``"series"``, for each channel the headers of its
        planes; ``"structures"``, the SEGs or RTSTRUCTs; ``"labels"``, those of the source;
        ``"reference"``, on which of the channels these are drawn; and ``"files"``, further
        files that are read. Or they hold ``"problem"``, the reason why
        the case can't be read.
    """
    try:
        return _plan(case, source, options)
    except SourceError as error:
        lead = f"{error.where}: {error.problem}" if error.where else error.problem
        problem = f"{lead}; {error.hint}" if error.hint else lead
        return CaseSource(case.name, (), case.label, None, case.split, {"problem": problem})


def _plan(case: CaseFiles, source: Source, options: DicomOptions) -> CaseSource:
    for entry in (entry for entries in case.groups for entry in entries):
        if entry.problem:
            raise SourceError(entry.problem)
    if case.problem:
        raise SourceError(case.problem)
    if options.cases == "auto":
        _refuse_several_patients(case)
    chosen = _choose(case, source, options)
    label: tuple[Path, ...] = ()
    if not source.unlabelled and (case.split != "test" or case.label or case.structures):
        label = find_label(case, options.labels)
    structures = {structure.path for structure in case.structures}
    further = [header.file for one in chosen for header in one.headers[1:]]
    return CaseSource(
        name=case.name,
        images=tuple(one.first.path for one in chosen),
        label=label[0] if label else None,
        subject=chosen[0].first.patient or case.name,
        split=case.split,
        details={
            "series": tuple(one.headers for one in chosen),
            "structures": tuple(path for path in label if path in structures),
            "labels": dict(source.labels),
            "reference": sorted(source.channels).index(source.reference),
            "files": (*dict.fromkeys(further), *map(str, label[1:])),
        },
    )


def _choose(case: CaseFiles, source: Source, options: DicomOptions) -> list[Series]:
    found = [
        group(images(entries), folder)
        for entries, folder in zip(case.groups, case.folders, strict=True)
    ]
    try:
        if len(found) == 1:
            return select(found[0], source.channels, options.channels)
        return [
            select(series, {number: source.channels[number]}, options.channels)[0]
            for series, number in zip(found, sorted(source.channels), strict=True)
        ]
    except SourceError as error:
        beside = Counter(o.kind for entries in case.groups for o in others(entries))
        listed = ", ".join(f"{count} {kind or 'others'}" for kind, count in beside.items())
        more = f"; no images are {listed}" if listed else ""
        raise SourceError(error.problem + more, hint=error.hint) from error


def _refuse_several_patients(case: CaseFiles) -> None:
    patients = {h.patient for entries in case.groups for h in images(entries)} - {""}
    if len(patients) > 1:
        raise SourceError(
            f"there are images of {len(patients)} patients in it",
            hint="make each a case with converter.cases=patient (or study), or say that folders "
            "are cases whatever the PatientIDs are with converter.cases=folder",
        )
