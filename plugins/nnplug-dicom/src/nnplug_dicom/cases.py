"""Which folder is which case, and where its label lies; by names only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nnplug.errors import SourceError
from nnplug.layout import find_cases, natural_key
from nnplug.types import Source, Split
from nnplug_dicom.probe import SUFFIXES, files_below, starts_like_dicom

LABEL_SUFFIXES = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr")
_LABEL_FOLDERS = ("labels", "label", "masks", "segmentations")


@dataclass(frozen=True)
class CaseFolder:
    """One case before its headers are read.

    Attributes:
        name: the case's name.
        folders: where its series lie: one folder for all channels, or one a channel.
        label: the label's file, or None.
        split: where the source's folders fix it.
        problem: why the case can't be used, or "".
    """

    name: str
    folders: tuple[Path, ...]
    label: Path | None = None
    split: Split | None = None
    problem: str = ""


def find_folders(source: Source) -> list[CaseFolder]:
    """List the case folders of a source in natural order.

    - With patterns in ``source.layout`` they decide: one folder a channel, and the label.
    - ``images/CASE/`` with ``labels/CASE.nii.gz`` (or another of :data:`LABEL_SUFFIXES`), and
      the same as ``imagesTr/``, ``labelsTr/``, ``imagesTs/``, ``labelsTs/``.
    - One folder a case, anything nested below, with the label volume in it if there is one.
    - Slices directly in the source: it is one case.

    Raises:
        SourceError: the source is missing, or its patterns can't be used.
    """
    if not source.root.is_dir():
        raise SourceError("there is no such folder", where=str(source.root))
    if source.layout.images or source.layout.label is not None:
        return _by_patterns(source)
    inside = {name.lower(): source.root / name for name in _folders(source.root)}
    if "images" in inside:
        labels = next((inside[n] for n in _LABEL_FOLDERS if n in inside), None)
        return list(_paired(source, inside["images"], labels, None))
    if "imagestr" in inside or "imagests" in inside:
        found: list[CaseFolder] = []
        if "imagestr" in inside:
            found += _paired(source, inside["imagestr"], inside.get("labelstr"), "train")
        if "imagests" in inside:
            found += _paired(source, inside["imagests"], inside.get("labelsts"), "test")
        return found
    if any(_is_slice(p) for p in source.root.iterdir() if p.is_file()):
        return [_self_contained(source, source.root)]
    return [_self_contained(source, source.root / name) for name in _folders(source.root)]


def _by_patterns(source: Source) -> list[CaseFolder]:
    return [
        CaseFolder(c.name, c.images, c.label, c.split, str(c.details.get("problem", "")))
        for c in find_cases(source, suffixes=("",), folders=True, label_suffixes=LABEL_SUFFIXES)
    ]


def _paired(
    source: Source, images: Path, labels: Path | None, split: Split | None
) -> Iterator[CaseFolder]:
    volumes = [] if labels is None or source.unlabelled else _volumes(labels, nested=False)
    for name in _folders(images):
        fitting = [p for p in volumes if _stem(p) == name]
        problem = ""
        if len(fitting) > 1:
            problem = f"several labels: {', '.join(p.name for p in fitting)}"
        elif not fitting and not source.unlabelled and split != "test":
            problem = NO_LABEL
        label = fitting[0] if len(fitting) == 1 else None
        yield CaseFolder(name, (images / name,), label, split, problem)
    for path in volumes:
        if not (images / _stem(path)).is_dir():
            problem = f"there is a label ({path.name}) but no folder of images"
            yield CaseFolder(_stem(path), (), path, split, problem)


def _self_contained(source: Source, folder: Path) -> CaseFolder:
    name = folder.resolve().name
    if source.unlabelled:
        return CaseFolder(name, (folder,))
    volumes = _volumes(folder, nested=True)
    if len(volumes) == 1:
        return CaseFolder(name, (folder,), volumes[0])
    names = ", ".join(p.relative_to(folder).as_posix() for p in volumes)
    problem = f"several volumes could be the label: {names}" if volumes else NO_LABEL
    return CaseFolder(name, (folder,), problem=problem)


NO_LABEL = "there is no label volume (.nii.gz, .mha, .nrrd, ...) for it"


def _is_slice(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    return path.suffix.lower() in SUFFIXES or starts_like_dicom(path)


def _volumes(folder: Path, *, nested: bool) -> list[Path]:
    found = files_below(folder)
    return [p for p in found if not _no_volume(p) and (nested or p.parent == folder)]


def _no_volume(path: Path) -> bool:
    return not path.name.lower().endswith(LABEL_SUFFIXES)


def _stem(path: Path) -> str:
    suffix = next(s for s in LABEL_SUFFIXES if path.name.lower().endswith(s))
    return path.name[: -len(suffix)]


def _folders(folder: Path) -> list[str]:
    names = (p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    return sorted((n for n in names if n != "__MACOSX"), key=natural_key)
