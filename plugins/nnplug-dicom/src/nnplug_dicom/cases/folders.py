"""Which files belong to which case: by the names of folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nnplug.layout import find_cases, natural_key
from nnplug.types import Source, Split
from nnplug_dicom.cases.index import Index, images, others
from nnplug_dicom.headers.cache import Entry
from nnplug_dicom.headers.header import Other

LABEL_SUFFIXES = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr")
STRUCTURES = ("SEG", "RTSTRUCT")
_LABEL_FOLDERS = ("labels", "label", "masks", "segmentations")


@dataclass(frozen=True)
class CaseFiles:
    """What belongs to one case, before anything is chosen.

    Attributes:
        name: the case's name.
        groups: the files that its channels are among: one group for all, or one a channel.
        folders: the folder of each group.
        label: the label, where its name or a pattern says that it is the case's.
        volumes: further files that may be the label.
        structures: its SEGs and RTSTRUCTs.
        split: where the source's folders fix it.
        problem: why the case can't be used, or "".
    """

    name: str
    groups: tuple[tuple[Entry, ...], ...]
    folders: tuple[Path, ...]
    label: Path | None = None
    volumes: tuple[Path, ...] = ()
    structures: tuple[Other, ...] = ()
    split: Split | None = None
    problem: str = ""


def cases_by_folder(index: Index, source: Source, *, one_exam: bool) -> list[CaseFiles]:
    """List the cases of a source in natural order.

    - With patterns in ``source.layout`` they decide: one folder a channel, and the label.
    - ``images/CASE/`` with ``labels/CASE.nii.gz`` (or another of :data:`LABEL_SUFFIXES`) or
      SEG and RTSTRUCT files there, and the same as ``imagesTr/``, ``labelsTr/``, ``imagesTs/``.
      All of them may lie in ``labels/CASE/`` as well, several volumes as one mask a region.
    - One folder a case, anything nested below, label and all.
    - Slices directly in the source: it is one case.

    Args:
        index: the files of the source.
        source: what is looked for.
        one_exam: several folders with images of one study are one case, the source itself.

    Raises:
        nnplug.errors.SourceError: the source's patterns can't be used.
    """
    root = source.root
    if source.layout.images or source.layout.label is not None:
        return _by_patterns(index, source)
    inside = {name.lower(): root / name for name in _folders(root)}
    if "images" in inside:
        labels = next((inside[n] for n in _LABEL_FOLDERS if n in inside), None)
        return list(_paired(index, inside["images"], labels, None))
    if "imagestr" in inside or "imagests" in inside:
        found: list[CaseFiles] = []
        if "imagestr" in inside:
            found += _paired(index, inside["imagestr"], inside.get("labelstr"), "train")
        if "imagests" in inside:
            found += _paired(index, inside["imagests"], inside.get("labelsts"), "test")
        return found
    if any(_is_in(e, root) and (e.images or e.other or e.problem) for e in index.entries):
        return [_whole(index, root)]
    if one_exam and _is_one_exam(index):
        return [_whole(index, root)]
    return [_whole(index, root / name) for name in _folders(root)]


def structures(entries: Iterable[Entry]) -> tuple[Other, ...]:
    """Return the SEGs and RTSTRUCTs among the files."""
    return tuple(other for other in others(entries) if other.kind in STRUCTURES)


def volumes(entries: Iterable[Entry]) -> tuple[Path, ...]:
    """Return the files that may be label volumes."""
    return tuple(e.path for e in entries if e.file.lower().endswith(LABEL_SUFFIXES))


def stem(path: Path) -> str:
    """Return a file's name without the suffix of a label volume or of DICOM."""
    name = path.name.lower()
    suffix = next((s for s in LABEL_SUFFIXES if name.endswith(s)), path.suffix)
    return path.name[: len(path.name) - len(suffix)]


def _by_patterns(index: Index, source: Source) -> list[CaseFiles]:
    found = find_cases(
        source, suffixes=("",), folders=True, label_suffixes=(*LABEL_SUFFIXES, ".dcm")
    )
    return [
        CaseFiles(
            case.name,
            tuple(index.below(folder) for folder in case.images),
            case.images,
            case.label,
            structures=structures(e for e in index.entries if e.path == case.label),
            split=case.split,
            problem=str(case.details.get("problem", "")),
        )
        for case in found
    ]


def _paired(
    index: Index, folder: Path, labels: Path | None, split: Split | None
) -> Iterator[CaseFiles]:
    beside = index.below(labels) if labels else ()
    flat = [e for e in beside if _is_in(e, labels)]
    named = {path: stem(path) for path in volumes(flat)}
    for name in _folders(folder):
        inner = index.below(folder / name)
        fitting = [path for path, of in named.items() if of == name]
        apart = [e for e in flat if stem(e.path) == name]
        if labels and (labels / name).is_dir():
            apart += (within := index.below(labels / name))
            fitting += volumes(within)
        yield CaseFiles(
            name,
            (inner,),
            (folder / name,),
            fitting[0] if len(fitting) == 1 else None,
            tuple(fitting) if len(fitting) > 1 else (),
            structures(apart) or structures(inner),
            split,
        )
    for path, name in named.items():
        if not (folder / name).is_dir():
            problem = f"there is a label ({path.name}) but no folder of images"
            yield CaseFiles(name, (), (), path, split=split, problem=problem)


def _is_one_exam(index: Index) -> bool:
    studies = {header.study for header in images(index.entries)}
    if len(studies) != 1 or "" in studies:
        return False
    below = {e.path.relative_to(index.root).parts[0] for e in index.entries if e.images or e.other}
    return len(below) > 1


def _whole(index: Index, folder: Path) -> CaseFiles:
    entries = index.below(folder)
    return CaseFiles(
        folder.resolve().name,
        (entries,),
        (folder,),
        volumes=volumes(entries),
        structures=structures(entries),
    )


def _is_in(entry: Entry, folder: Path | None) -> bool:
    return os.path.dirname(entry.file) == str(folder)


def _folders(folder: Path) -> list[str]:
    names = (p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    return sorted((n for n in names if n != "__MACOSX"), key=natural_key)
