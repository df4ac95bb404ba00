"""Layouts that the user describes with one pattern a channel and one for the label."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from nnplug.errors import SourceError
from nnplug.layout.scan import Kind, listed, walk
from nnplug.types import CaseSource, Source

_PARTS = {
    "**/": "(?:.*/)?",
    "**": ".*",
    "*": "[^/]*",
    "?": "[^/]",
}


def by_patterns(kind: Kind, source: Source) -> list[CaseSource]:
    """Find the cases that the patterns of ``source.layout`` describe.

    Returns:
        One case a name; what is wrong with it stands in ``details["problem"]``.

    Raises:
        SourceError: the patterns can't be used with this dataset, or match nothing.
    """
    layout = source.layout
    if len(layout.images) != len(source.channels):
        raise SourceError(
            f"{len(layout.images)} image patterns for {len(source.channels)} channels",
            where="dataset.images",
            hint="write one pattern a channel, in the order of the channels",
        )
    if layout.label is None and not source.unlabelled:
        raise SourceError(
            "there are image patterns but none for the label",
            where="dataset.label",
            hint="write one with {case} in it, or set dataset.unlabelled=true",
        )
    paths = list(walk(source.root))
    images = [_matches(p, paths, source.root, kind.is_image) for p in layout.images]
    labels: dict[str, list[Path]] = {}
    if layout.label is not None and not source.unlabelled:
        labels = _matches(layout.label, paths, source.root, kind.is_label)
    names = {name: None for group in (*images, labels) for name in group}
    cases = []
    for name in names:
        problems: list[str] = []
        found = [
            _one(group.get(name, []), source, pattern, problems)
            for group, pattern in zip(images, layout.images, strict=True)
        ]
        label = None
        if layout.label is not None and not source.unlabelled:
            label = _one(labels.get(name, []), source, layout.label, problems)
        chosen = tuple(p for p in found if p is not None)
        details = {"problem": "; ".join(problems)} if problems else {}
        cases.append(CaseSource(name=name, images=chosen, label=label, details=details))
    return cases


def expression(pattern: str) -> re.Pattern[str]:
    """Translate a pattern to an expression for paths below the source, ``/`` between parts.

    ``{case}`` takes as many characters as it can, but no ``/``; every ``{case}`` in a pattern
    stands for the same name.

    Raises:
        SourceError: the pattern has no ``{case}``, or leaves the source.
    """
    pure = PurePosixPath(pattern)
    if "{case}" not in pattern or pure.is_absolute() or ".." in pure.parts:
        raise SourceError(
            f"the pattern {pattern!r} can't be used",
            where="dataset.images, dataset.label",
            hint="write a path relative to the source, without '..' and with {case} in it, "
            "e.g. 'scans/{case}/t1.nii.gz'",
        )
    text, seen = "", False
    for part in re.split(r"(\{case\}|\*\*/|\*\*|\*|\?)", str(pure)):
        if part == "{case}":
            text += "(?P=case)" if seen else "(?P<case>[^/]+)"
            seen = True
        else:
            text += _PARTS.get(part, re.escape(part))
    return re.compile(text)


def _matches(
    pattern: str, paths: list[Path], root: Path, wanted: Callable[[Path], bool]
) -> dict[str, list[Path]]:
    regex = expression(pattern)
    found: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        match = regex.fullmatch(path.relative_to(root).as_posix())
        if match and wanted(path):
            found[match["case"]].append(path)
    return found


def _one(found: list[Path], source: Source, pattern: str, problems: list[str]) -> Path | None:
    if len(found) == 1:
        return found[0]
    if found:
        names = listed([p.relative_to(source.root).as_posix() for p in found])
        problems.append(f"{len(found)} paths match {pattern!r}: {names}")
    else:
        problems.append(f"nothing matches {pattern!r}")
    return None
