"""One folder a case, its image and label told apart by the words in their names."""

from __future__ import annotations

from pathlib import Path

from nnplug.layout.scan import Kind, contains, entries, listed, words
from nnplug.types import CaseSource, Source

LABEL_WORDS = {
    "annotation",
    "annotations",
    "groundtruth",
    "gt",
    "label",
    "labelmap",
    "labels",
    "mask",
    "masks",
    "seg",
    "segmentation",
    "segmentations",
}
NO_LABEL = "no file or folder named as a label (label, seg, mask, gt, ...)"
IMAGE_WORDS = {"image", "images", "img", "scan", "scans", "vol", "volume"}


def case_folders(kind: Kind, source: Source) -> list[CaseSource]:
    """Read every folder directly below the source as one case; those without images are left out.

    Returns:
        One case a folder; what is wrong with it stands in ``details["problem"]``.
    """
    folders = (p for p in entries(source.root) if p.is_dir())
    return [case for folder in folders if (case := _case(kind, source, folder))]


def is_label_name(kind: Kind, path: Path, case: str = "") -> bool:
    """Tell whether the name of ``path``, less its case's name, has a word that means label."""
    found = own_words(kind, path, case)
    return not LABEL_WORDS.isdisjoint(found) or contains(found, ("ground", "truth"))


def _case(kind: Kind, source: Source, folder: Path) -> CaseSource | None:
    inside = entries(folder)
    labels = [p for p in inside if kind.is_label(p) and is_label_name(kind, p, folder.name)]
    images = [p for p in inside if p not in labels and kind.is_image(p)]
    if not images and kind.is_image(folder):
        images = [folder]
    if not images and not labels:
        return None
    problems: list[str] = []
    chosen = _channels(kind, source, folder.name, images, problems)
    label = None if source.unlabelled else _label(kind, source, folder.name, labels, problems)
    details = {"problem": "; ".join(problems)} if problems else {}
    return CaseSource(name=folder.name, images=chosen, label=label, details=details)


def _channels(
    kind: Kind, source: Source, case: str, images: list[Path], problems: list[str]
) -> tuple[Path, ...]:
    if len(images) == 1 and len(source.channels) == 1:
        return (images[0],)
    chosen: list[Path] = []
    for number in sorted(source.channels):
        fitting = _matching(kind, case, source.channels[number], images)
        if len(fitting) == 1:
            chosen.append(fitting[0])
            continue
        names = listed([p.name for p in fitting or images]) or "none"
        what = "several images fit" if fitting else "no image's name has"
        problems.append(f"{what} channel {source.channels[number]!r}: {names}")
    for path in sorted({p for p in chosen if chosen.count(p) > 1}):
        problems.append(f"{path.name} fits more than one channel")
    return tuple(chosen)


def _label(
    kind: Kind, source: Source, case: str, labels: list[Path], problems: list[str]
) -> Path | None:
    if len(labels) > 1:
        first = source.channels[min(source.channels)]
        fitting = _matching(kind, case, first, labels)
        if len(fitting) != 1:
            names = listed([p.name for p in labels])
            problems.append(f"several labels, none chosen by channel {first!r}: {names}")
        labels = fitting
    elif not labels:
        problems.append(NO_LABEL)
    return labels[0] if len(labels) == 1 else None


def _matching(kind: Kind, case: str, channel: str, paths: list[Path]) -> list[Path]:
    """Return the paths named just like the channel; without any, those that contain its name."""
    wanted = words(channel)
    found = {p: own_words(kind, p, case) for p in paths}
    roles = LABEL_WORDS | IMAGE_WORDS
    exact = [p for p in paths if tuple(w for w in found[p] if w not in roles) == wanted]
    return exact or [p for p in paths if contains(found[p], wanted)]


def own_words(kind: Kind, path: Path, case: str, *, lower: bool = True) -> tuple[str, ...]:
    """Return the words of the name without those of the case; a ``.seg.nrrd`` keeps its ``seg``.

    With ``lower=False`` they are written as in the name.
    """
    ends = sorted((s for s in kind.suffixes if s), key=len, reverse=True)
    end = next((e for e in ends if path.name.lower().endswith(e)), "")
    name = path.name if path.is_dir() or not end else path.name[: -len(end)]
    found, lead = words(name), words(case)
    written = found if lower else words(name, lower=False)
    trimmed = written[len(lead) :] if lead and found[: len(lead)] == lead else written
    return trimmed or written
