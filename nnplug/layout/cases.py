"""Finding the cases of a source in the layouts that people use; for converters of any format.

Only names are looked at. A problem of one case stands in its ``details["problem"]``, so that
the others can be converted; a problem of the whole source is raised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from nnplug.errors import SourceError
from nnplug.layout.beside import beside
from nnplug.layout.casefolders import NO_LABEL, case_folders
from nnplug.layout.detect import LABEL_FOLDERS
from nnplug.layout.merge import finish
from nnplug.layout.paired import is_numbered, paired
from nnplug.layout.patterns import by_patterns
from nnplug.layout.scan import Kind, entries, listed, walk
from nnplug.types import CaseSource, Source


def find_cases(
    source: Source,
    *,
    suffixes: Sequence[str],
    folders: bool = False,
    label_suffixes: Sequence[str] = (),
    label_folders: bool = False,
    mask_folders: bool = False,
) -> list[CaseSource]:
    """List the cases of a source by the names of its files and folders.

    With patterns in ``source.layout`` these decide. Otherwise the layouts below are tried, and
    hidden files are left out everywhere:

    - ``images/`` and ``labels/`` (or ``masks/``, ``segmentations/``) with equal names; several
      channels end in ``_0000``, ``_0001``, ...;
    - the same as ``imagesTr/``, ``labelsTr/``, ``imagesTs/`` (and ``labelsTs/``): nnU-Net's
      and the Medical Segmentation Decathlon's folders, which fix each case's split;
    - one folder a case with the image(s) and the label in it. Names with a word such as
      ``label``, ``seg``, ``mask`` or ``gt`` are labels; several images, and one label of
      several, are chosen by the channels' names as whole words (``T1`` does not fit ``T1CE``);
    - one folder with labels beside their images: ``a.nrrd`` or ``a_image.nrrd`` (several
      channels: ``a_T1.nrrd``, ``a_T2.nrrd``) and ``a_label.nrrd`` or ``a.seg.nrrd``;
    - with ``source.unlabelled`` also images anywhere below the source, each a case. Its name
      is that of the image, or where that would not be unique its path joined with ``_``.

    Args:
        source: the folder, its channels, and whether labels are expected.
        suffixes: endings of image files such as ``(".nii", ".nii.gz")``, in any case of letters.
        folders: an image is a folder that directly holds such files (a stack of slices).
        label_suffixes: endings of further files that may be labels, e.g. for a mask in another
            format than the image.
        label_folders: a label is a folder, such as one with the mask of each object.
        mask_folders: a label may also be a folder, with one mask a region.

    Returns:
        The cases in natural order, images in channel order. A case that can't be used (no
        label, no image, an ambiguous or missing channel, a name that occurs twice) carries the
        reason as text in ``details["problem"]``; its images may then be incomplete.

    Raises:
        SourceError: the source is missing, empty or not in a known layout, its patterns can't
            be used, or none of its cases can.
    """
    kind = Kind(
        suffixes=tuple(s.lower() for s in suffixes),
        folders=folders,
        label_suffixes=tuple(s.lower() for s in label_suffixes),
        label_folders=label_folders,
        mask_folders=mask_folders,
    )
    root = source.root
    if not root.is_dir():
        raise SourceError(
            "this is a file, not a folder" if root.exists() else "there is no such folder",
            where=str(root),
            hint="name the folder that holds the images",
        )
    try:
        return finish(_recognise(kind, source), kind, source)
    except OSError as error:
        raise SourceError(
            f"the folder can't be read: {error.strerror}", where=str(error.filename or root)
        ) from error


def _recognise(kind: Kind, source: Source) -> list[CaseSource]:
    if source.layout.images or source.layout.label is not None:
        return by_patterns(kind, source)
    inside = {p.name.lower(): p for p in entries(source.root) if p.is_dir()}
    train, test, plain = (inside.get(n) for n in ("imagestr", "imagests", "images"))
    if plain and (train or test):
        raise SourceError(
            "there are both images/ and imagesTr/ or imagesTs/",
            where=str(source.root),
            hint="keep one of the two layouts, or describe yours with dataset.images",
        )
    if train or test:
        return _task(kind, source, inside)
    if plain:
        return _plain(kind, source, plain, inside)
    cases = case_folders(kind, source)
    if not cases and not kind.folders and (pairs := beside(kind, source)):
        return pairs
    if source.unlabelled:
        usable = any(not c.details for c in cases) and not _loose(kind, source.root)
        return cases if usable else _anywhere(kind, source)
    if all(NO_LABEL in c.details.get("problem", "") for c in cases):
        if cases or kind.is_image(source.root) or _anywhere(kind, source):
            _no_labels(source)
        return []
    if loose := _loose(kind, source.root):
        raise SourceError(
            f"there are folders of cases, and beside them {listed([p.name for p in loose])}",
            where=str(source.root),
            hint="move these elsewhere, or describe the layout with dataset.images",
        )
    return cases


def _task(kind: Kind, source: Source, inside: dict[str, Path]) -> list[CaseSource]:
    train, test = inside.get("imagestr"), inside.get("imagests")
    labels, test_labels = inside.get("labelstr"), inside.get("labelsts")
    if source.unlabelled:
        return [c for f in (train, test) if f for c in paired(kind, source, f, None)]
    if train and not labels:
        _no_labels(source)
    numbered: bool | None = None
    if train and labels:
        names = [kind.name(p) for p in entries(labels) if kind.is_label(p)]
        found = [p for p in entries(train) if kind.is_image(p)]
        numbered = is_numbered(kind, source, found, names)
    cases: list[CaseSource] = []
    if train:
        cases += paired(kind, source, train, labels, split="train", numbered=numbered)
    if test:
        cases += paired(kind, source, test, test_labels, split="test", numbered=numbered)
    return cases


def _plain(kind: Kind, source: Source, images: Path, inside: dict[str, Path]) -> list[CaseSource]:
    labels = [inside[n] for n in LABEL_FOLDERS if n in inside]
    if source.unlabelled:
        return paired(kind, source, images, None)
    if not labels:
        _no_labels(source)
    if len(labels) > 1:
        raise SourceError(
            f"several folders could hold the labels: {listed([p.name for p in labels])}",
            where=str(source.root),
            hint="keep one of them, or name the files with dataset.images and dataset.label",
        )
    return paired(kind, source, images, labels[0])


def _anywhere(kind: Kind, source: Source) -> list[CaseSource]:
    root = source.root
    if kind.is_image(root):
        return [CaseSource(name=root.resolve().name, images=(root,))]
    source = replace(source, unlabelled=True)
    cases = [
        case
        for folder in (root, *(p for p in walk(root) if p.is_dir()))
        for case in paired(kind, source, folder, None)
    ]
    if len({c.name for c in cases}) == len(cases):
        return cases
    return [
        replace(c, name="_".join((*c.images[0].parent.relative_to(root).parts, c.name)))
        for c in cases
    ]


def _loose(kind: Kind, root: Path) -> list[Path]:
    return [] if kind.folders else [p for p in entries(root) if kind.is_image(p)]


def _no_labels(source: Source) -> NoReturn:
    raise SourceError(
        "there are images but no labels that belong to them",
        where=str(source.root),
        hint="put images into images/ and labels of the same names into labels/; or name the "
        "files with dataset.images and dataset.label; or set dataset.unlabelled=true to convert "
        "them as test cases",
    )
