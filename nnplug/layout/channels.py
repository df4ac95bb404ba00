"""Channels that the names of a source's files suggest."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from nnplug.layout.casefolders import IMAGE_WORDS, LABEL_WORDS, is_label_name, own_words
from nnplug.layout.paired import CHANNEL, is_numbered
from nnplug.layout.scan import Kind, entries
from nnplug.types import Source

ONE = {0: "image"}


def suggest_channels(
    kind: Kind, images: list[Path], labels: list[Path], root: Path
) -> dict[int, str]:
    """Suggest the channels of a source by nnU-Net's numbers, or by words in case folders.

    Args:
        kind: what counts as an image.
        images: folders of images; empty where each case has a folder of its own.
        labels: folders of labels.
        root: the source.

    Returns:
        Channel number to name; ``{0: "image"}`` where names tell of no other.
    """
    if images:
        found = [p for folder in images for p in entries(folder) if kind.is_image(p)]
        names = [kind.name(p) for folder in labels for p in entries(folder) if kind.is_label(p)]
        return _by_number(kind, found, names, root)
    return _by_words(kind, root)


def _by_number(kind: Kind, images: list[Path], labels: list[str], root: Path) -> dict[int, str]:
    matches = [m for p in images if (m := CHANNEL.fullmatch(kind.name(p)))]
    numbers_of: dict[str, set[int]] = defaultdict(set)
    for match in matches:
        numbers_of[match[1]].add(int(match[2]))
    numbers = sorted({n for found in numbers_of.values() for n in found})
    channels = {n: f"channel_{n}" for n in numbers}
    complete = len(numbers_of) > 1 and all(len(n) == len(numbers) for n in numbers_of.values())
    if len(numbers) < 2 or not is_numbered(kind, Source(root, channels), images, labels):
        return ONE
    return channels if labels or complete else ONE


def _by_words(kind: Kind, root: Path) -> dict[int, str]:
    """The names that most case folders have in common."""
    counts: Counter[str] = Counter()
    folders = 0
    for folder in entries(root):
        if not folder.is_dir():
            continue
        images = [
            p
            for p in entries(folder)
            if kind.is_image(p) and not (kind.is_label(p) and is_label_name(kind, p, folder.name))
        ]
        folders += bool(images)
        counts.update({_channel(kind, p, folder.name) for p in images} - {""})
    common = sorted(name for name, times in counts.items() if 2 * times > folders)
    return dict(enumerate(common)) if len(common) > 1 else ONE


def _channel(kind: Kind, path: Path, case: str) -> str:
    """What a file's name says beyond its case and its role, in the letters of the name."""
    written = {word.lower(): word for word in own_words(kind, path, case, lower=False)}
    kept = (w for w in written if w not in LABEL_WORDS | IMAGE_WORDS)
    return "_".join(written[w] for w in kept)
