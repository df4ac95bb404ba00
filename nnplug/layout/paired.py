"""Images in one folder, labels of the same names in another."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from nnplug.layout.scan import Kind, entries, listed
from nnplug.types import CaseSource, Source, Split

CHANNEL = re.compile(r"(.+)_([0-9]{4})")


def paired(
    kind: Kind,
    source: Source,
    images: Path,
    labels: Path | None,
    *,
    split: Split | None = None,
    numbered: bool | None = None,
) -> list[CaseSource]:
    """Pair the images of a folder with the labels of another by name.

    Args:
        kind: what counts as an image and as a label.
        source: its channels, and whether labels are needed.
        images: the folder of the images.
        labels: the folder of the labels, if there is one.
        split: what every case belongs to; a test case needs no label.
        numbered: names end in the channel's number (``_0000``); found out when None.

    Returns:
        One case a name; what is wrong with it stands in ``details["problem"]``.
    """
    found = [p for p in entries(images) if kind.is_image(p)]
    label_of = _by_name(kind, (p for p in entries(labels) if kind.is_label(p)) if labels else ())
    if numbered is None:
        numbered = is_numbered(kind, source, found, label_of)
    files: dict[str, dict[int, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path in found:
        name, number = kind.name(path), min(source.channels)
        if numbered and (match := CHANNEL.fullmatch(name)):
            name, number = match[1], int(match[2])
        files[name][number].append(path)
    cases = []
    for name in [*files, *(n for n in label_of if n not in files)]:
        problems = _image_problems(source, files.get(name, {}), numbered)
        targets = [] if source.unlabelled else label_of.get(name, [])
        if len(targets) > 1:
            problems.append(f"several labels: {listed([p.name for p in targets])}")
        if not targets and not source.unlabelled and split != "test":
            problems.append(f"no label of this name in {labels.name if labels else 'the source'}")
        chosen = files.get(name, {})
        cases.append(
            CaseSource(
                name=name,
                images=tuple(chosen[n][0] for n in sorted(chosen)),
                label=targets[0] if targets else None,
                split=split,
                details={"problem": "; ".join(problems)} if problems else {},
            )
        )
    return cases


def is_numbered(
    kind: Kind, source: Source, images: Iterable[Path], labels: Iterable[str] = ()
) -> bool:
    """Tell whether image names end in a channel number that the labels' names lack.

    Without labels, they do if every name ends in the number of one of the source's channels.
    """
    names = [kind.name(p) for p in images]
    matches = [CHANNEL.fullmatch(n) for n in names]
    known = set(labels)
    if known:
        stripped = {m[1] for m in matches if m}
        return len(stripped & known) > len(set(names) & known)
    return bool(names) and all(m and int(m[2]) in source.channels for m in matches)


def _by_name(kind: Kind, paths: Iterable[Path]) -> dict[str, list[Path]]:
    grouped: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        grouped[kind.name(path)].append(path)
    return grouped


def _image_problems(source: Source, files: dict[int, list[Path]], numbered: bool) -> list[str]:
    if not files:
        return ["a label without an image"]
    problems = [
        f"several images: {listed([p.name for p in paths])}"
        for paths in files.values()
        if len(paths) > 1
    ]
    if not numbered and len(source.channels) > 1:
        wanted = listed([f"_{n:04d}" for n in sorted(source.channels)])
        return [*problems, f"one image for {len(source.channels)} channels; names end in {wanted}"]
    missing = [f"{n} ({source.channels[n]})" for n in sorted(source.channels) if n not in files]
    extra = [str(n) for n in sorted(files) if n not in source.channels]
    if missing:
        problems.append(f"no image of channel {listed(missing)}")
    if extra:
        problems.append(f"channel {listed(extra)} is not one of the dataset's channels")
    return problems
