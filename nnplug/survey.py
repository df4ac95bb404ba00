"""What a source holds, by names and headers; for converters whose formats are plain files.

A converter's ``survey`` function (see :class:`nnplug.types.ConverterSpec`) calls :func:`survey`
with a function that reads a file's header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from nnplug.errors import SourceError
from nnplug.layout import find_cases
from nnplug.layout.casefolders import is_label_name
from nnplug.layout.channels import suggest_channels
from nnplug.layout.detect import IMAGE_FOLDERS, LABEL_FOLDERS
from nnplug.layout.scan import Kind, entries, walk
from nnplug.types import CaseSource, Found, Source, Survey

Grid = tuple[tuple[int, ...], tuple[float, ...]]
Outline = Callable[[Path], Grid]

__all__ = ["Grid", "Outline", "describe", "survey"]


def survey(
    root: Path,
    outline: Outline,
    *,
    suffixes: Sequence[str],
    folders: bool = False,
    label_suffixes: Sequence[str] = (),
    label_folders: bool = False,
    mask_folders: bool = False,
) -> Survey:
    """Survey a source in one of the layouts of :func:`nnplug.layout.find_cases`.

    Args:
        root: the source.
        outline: reads size (x, y, z) and spacing (mm) of an image or label from its header;
            empty tuples stand for what it can't tell. May raise SourceError.
        suffixes: as for ``find_cases``, and so are the others.
        folders: an image is a folder of slices.
        label_suffixes: endings of further files that may be labels.
        label_folders: a label is a folder.
        mask_folders: a label may also be a folder; ``outline`` gets its path then.

    Returns:
        Every case's files, and after them those that belong to none. Channels are suggested by
        nnU-Net's numbers or by what most case folders have in common.
    """
    if not root.is_dir():
        return Survey(())
    kind = Kind(tuple(suffixes), folders, tuple(label_suffixes), label_folders, mask_folders)
    problem = ""
    for unlabelled in False, True:
        try:
            source = Source(root, _channels(kind, root), unlabelled=unlabelled)
            cases = find_cases(
                source,
                suffixes=suffixes,
                folders=folders,
                label_suffixes=label_suffixes,
                label_folders=label_folders,
                mask_folders=mask_folders,
            )
        except SourceError as error:
            problem = problem or error.problem
            continue
        found = describe(root, cases, outline, source)
        rest = _rest(kind, root, cases, "belongs to no case")
        images = (path for case in cases for path in case.images)
        labels = any(f.kind == "label" for f in rest) or any(is_label_name(kind, p) for p in images)
        if not (unlabelled and labels):
            return Survey((*found, *rest), dict(source.channels), unlabelled=unlabelled)
    return Survey(_rest(kind, root, (), problem))


def describe(
    root: Path, cases: Iterable[CaseSource], outline: Outline, source: Source
) -> tuple[Found, ...]:
    """Describe the files of cases: images by channel, then the label.

    A header that can't be read, or the case's problem, stands in ``problem``.
    """
    names = [source.channels[number] for number in sorted(source.channels)]
    found = []
    for case in cases:
        several = "volumes" in case.details
        uses = [
            ("image", tuple(names) if several else (name,), path)
            for name, path in zip(names, case.images, strict=False)
        ]
        if case.label is not None:
            uses.append(("label", ("label",), case.label))
        for kind, use, path in uses:
            problem = str(case.details.get("problem", ""))
            size: tuple[int, ...] = ()
            spacing: tuple[float, ...] = ()
            try:
                size, spacing = outline(path)
            except SourceError as error:
                problem = problem or error.problem
            found.append(
                Found(
                    path=path.relative_to(root).as_posix(),
                    kind=kind,
                    subject=case.name,
                    size=size,
                    spacing=spacing,
                    use=() if problem else use,
                    problem=problem,
                )
            )
    return tuple(found)


def _channels(kind: Kind, root: Path) -> dict[int, str]:
    inside = [p for p in entries(root) if p.is_dir()]
    images = [p for p in inside if p.name.lower() in IMAGE_FOLDERS]
    label_folders = {*LABEL_FOLDERS, "labelstr", "labelsts"}
    labels = [p for p in inside if p.name.lower() in label_folders]
    if not images and any(kind.is_image(p) for p in entries(root)):
        images = [root]
    return suggest_channels(kind, images, labels, root)


def _rest(kind: Kind, root: Path, cases: Iterable[CaseSource], problem: str) -> tuple[Found, ...]:
    """Images and labels that no case uses."""
    used = {p for case in cases for p in (*case.images, *([case.label] if case.label else []))}
    above = {folder for path in used for folder in path.parents}
    found = []
    for path in walk(root):
        if path in used or path in above or not used.isdisjoint(path.parents):
            continue
        if not (kind.is_image(path) or kind.is_label(path)):
            continue
        parts = [part.lower() for part in path.relative_to(root).parts[:-1]]
        label = is_label_name(kind, path) or not {*LABEL_FOLDERS, "labelstr"}.isdisjoint(parts)
        found.append(
            Found(
                path=path.relative_to(root).as_posix(),
                kind="label" if label else "image",
                problem=problem,
            )
        )
    return tuple(found)
