"""Which files belong to which case: by patient or study, wherever the files lie."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from nnplug.layout import natural_key
from nnplug_dicom.cases.folders import CaseFiles, stem, structures, volumes
from nnplug_dicom.cases.index import Index
from nnplug_dicom.headers.cache import Entry
from nnplug_dicom.headers.header import Header, Other

_Key = tuple[str, str]
_Files = Mapping[_Key, list[Entry]]
_Holders = Mapping[Path, set[_Key]]


def cases_by_id(index: Index, *, study: bool) -> list[CaseFiles]:
    """List the patients (PatientID) of a source, or with ``study`` their StudyInstanceUIDs.

    A case is called like the topmost folder that holds nothing but its files, else like its
    PatientID; studies without such a folder get a number, in the order of their UIDs. A label
    volume belongs to the case if it lies in that folder or has the case's name. Files that are
    damaged belong to all cases with files in the nearest folder above.
    """
    files = _files(index, study)
    holders: dict[Path, set[_Key]] = defaultdict(set)
    for key, found in files.items():
        for entry in found:
            for folder in entry.path.parents:
                holders[folder].add(key)
    own = {key: _own_folder(index.root, key, files[key], holders) for key in files}
    names = _names(index.root, files, own, study)
    for entry in index.entries:
        if entry.problem:
            for key in next((holders[p] for p in entry.path.parents if p in holders), ()):
                files[key].append(entry)
    named = defaultdict(list)
    for path in volumes(index.entries):
        named[stem(path)].append(path)
    cases = [_case(index, key, files[key], names[key], own[key], named, study) for key in files]
    return sorted(cases, key=lambda case: natural_key(case.name))


def _files(index: Index, study: bool) -> dict[_Key, list[Entry]]:
    files: dict[_Key, list[Entry]] = defaultdict(list)
    for entry in index.entries:
        objects: list[Header | Other] = [*entry.images[:1], *structures([entry])]
        for one in objects:
            files[one.patient, one.study if study else ""].append(entry)
    return files


def _own_folder(root: Path, key: _Key, found: list[Entry], holders: _Holders) -> Path | None:
    own = None
    folder = Path(os.path.commonpath([entry.path.parent for entry in found]))
    while folder != root and holders[folder] == {key}:
        own, folder = folder, folder.parent
    return own


def _names(
    root: Path, files: _Files, own: Mapping[_Key, Path | None], study: bool
) -> dict[_Key, str]:
    names = {}
    for key in files:
        patient, uid = key
        if folder := own[key]:
            names[key] = folder.name
        elif study:
            siblings = sorted(other for of, other in files if of == patient)
            names[key] = f"{patient or 'study'}_{siblings.index(uid) + 1}"
        else:
            names[key] = patient or "unknown"
    counts = Counter(names.values())
    for key, folder in own.items():
        if folder and counts[names[key]] > 1:
            names[key] = "_".join(folder.relative_to(root).parts)
    return names


def _case(
    index: Index,
    key: _Key,
    found: list[Entry],
    name: str,
    own: Path | None,
    named: Mapping[str, list[Path]],
    study: bool,
) -> CaseFiles:
    fitting = named.get(name, [])
    what = "StudyInstanceUID" if study else "PatientID"
    problem = f"{len(found)} files have no {what}, e.g. {found[0].path.name}"
    return CaseFiles(
        name,
        (tuple(found),),
        (own or index.root,),
        label=fitting[0] if len(fitting) == 1 else None,
        volumes=volumes(index.below(own)) if own else tuple(fitting),
        structures=structures(found),
        problem="" if key[study] else f"{problem}; converter.cases=folder does without",
    )
