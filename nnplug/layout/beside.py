"""Labels in the same folder as their images: ``a.nrrd`` and ``a.seg.nrrd`` or ``a_label.nrrd``."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from nnplug.layout.casefolders import IMAGE_WORDS, LABEL_WORDS, is_label_name
from nnplug.layout.scan import Kind, entries, listed, words
from nnplug.types import CaseSource, Source

_ROLES = "|".join(sorted(LABEL_WORDS | IMAGE_WORDS, key=len, reverse=True))
_ROLE = re.compile(rf"[\W_]+(?:{_ROLES})$|^(?:{_ROLES})[\W_]+", re.IGNORECASE)


def beside(kind: Kind, source: Source) -> list[CaseSource]:
    """Pair the files directly in the source with the labels that lie among them.

    A label's name without the word for a label at its end (or beginning) is the case's name.
    Images have that name too, alone or followed by a word for an image or by the name of their
    channel.

    Returns:
        One case a name, none if no file is named as a label; what is wrong with a case stands
        in ``details["problem"]``.
    """
    files = [p for p in entries(source.root) if kind.is_label(p) or kind.is_image(p)]
    labels: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    names: dict[tuple[str, ...], str] = {}
    images = []
    for path in files:
        if kind.is_label(path) and is_label_name(kind, path):
            name = _without_role(_stem(kind, path))
            labels[words(name)].append(path)
            names[words(name)] = name
        else:
            images.append(path)
    if not labels:
        return []
    channels = [source.channels[number] for number in sorted(source.channels)]
    wanted = {(*key, *words(channel)): key for key in labels for channel in channels}
    if len(channels) == 1:
        wanted |= {key: key for key in labels}
    found: dict[tuple[str, ...], dict[tuple[str, ...], list[Path]]] = defaultdict(dict)
    lonely = []
    for path in images:
        full = words(_without_role(kind.name(path)))
        if (owner := wanted.get(full)) is None:
            lonely.append(path)
        else:
            tail = full[len(owner) :] or words(channels[0])
            found[owner].setdefault(tail, []).append(path)
    cases = [
        _case(source, names[key], [found[key].get(words(c), []) for c in channels], labels[key])
        for key in labels
    ]
    return cases + [
        CaseSource(
            name=kind.name(path),
            images=(path,),
            details={} if source.unlabelled else {"problem": "no label of this name beside it"},
        )
        for path in lonely
    ]


def _case(source: Source, name: str, images: list[list[Path]], labels: list[Path]) -> CaseSource:
    problems = []
    for number, paths in zip(sorted(source.channels), images, strict=True):
        if not paths:
            problems.append(f"no image of channel {source.channels[number]!r}")
        elif len(paths) > 1:
            problems.append(f"several images: {listed([p.name for p in paths])}")
    if len(labels) > 1:
        problems.append(f"several labels: {listed([p.name for p in labels])}")
    return CaseSource(
        name=name,
        images=tuple(paths[0] for paths in images if paths),
        label=None if source.unlabelled else labels[0],
        details={"problem": "; ".join(problems)} if problems else {},
    )


def _stem(kind: Kind, path: Path) -> str:
    """The name without its ending, of which a ``.seg.nrrd`` keeps ``.seg``."""
    ends = sorted((s for s in kind.suffixes if s), key=len, reverse=True)
    end = next((e for e in ends if path.name.lower().endswith(e)), "")
    return path.name[: -len(end)] if end else kind.name(path)


def _without_role(name: str) -> str:
    return _ROLE.sub("", name, count=1)
