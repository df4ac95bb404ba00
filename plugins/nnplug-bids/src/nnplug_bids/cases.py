"""Which images and which label are one case: entities decide, and what they leave open is refused.

A case is a session of a subject, or a run of one where images have runs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from nnplug.errors import SourceError
from nnplug.types import CaseSource, Source
from nnplug_bids.names import Name, anatomy, folders, split
from nnplug_bids.options import BidsOptions
from nnplug_bids.tables import table_of

LABELS = ("dseg", "mask")
# What a label adds to the name of the image that it was made of.
_OF_LABELS = {"label", "desc", "seg", "atlas", "scale"}


def discover(source: Source, options: BidsOptions) -> list[CaseSource]:
    """List the cases of a dataset.

    Raises:
        SourceError: this is no BIDS dataset, there is no such folder of derivatives, no image
            fits a channel anywhere, or a channel's name is not one of BIDS.
    """
    root = source.root
    if not (root / "dataset_description.json").is_file():
        raise SourceError(
            "there is no dataset_description.json",
            where=str(root),
            hint="name the top folder of the BIDS dataset",
        )
    channels = [_channel(source.channels[n]) for n in sorted(source.channels)]
    images = [n for n in anatomy(pipeline(root, options.images)) if n.suffix not in LABELS]
    labels: dict[tuple[str, str], list[Name]] = defaultdict(list)
    for name in () if source.unlabelled else _labels(root, options):
        labels[_session(name)].append(name)
    chosen = [
        [n for n in images if n.suffix == suffix and n.has({**options.entities, **entities})]
        for entities, suffix in channels
    ]
    if not any(chosen):
        there = sorted({name.suffix for name in images})
        raise SourceError(
            "no image has the suffix and entities of a channel",
            where=str(root),
            hint=f"channels are named by suffixes, such as dataset.channels={{0: T1w}}; there "
            f"are: {', '.join(there) or 'no images in any anat folder'}",
        )
    fixed = [bool({**options.entities, **entities}.get("run")) for entities, _ in channels]
    keys: dict[tuple[str, str, str], list[list[Name]]] = {}
    for number, names in enumerate(chosen):
        for name in names:
            places = keys.setdefault(_key(name, fixed[number]), [[] for _ in channels])
            places[number].append(name)
    runs = Counter(key[:2] for key in keys)
    return [
        _case(key, places, source, labels[key[:2]], options, alone=runs[key[:2]] == 1)
        for key, places in keys.items()
    ]


def pipeline(root: Path, name: str) -> Path:
    """A folder of derivatives; without a name the dataset itself.

    Raises:
        SourceError: it isn't there.
    """
    if not name or (root / "derivatives" / name).is_dir():
        return root / "derivatives" / name if name else root
    there = [folder.name for folder in folders(root / "derivatives", "*")]
    raise SourceError(
        f"there is no folder {name}",
        where=str(root / "derivatives"),
        hint=f"there are: {', '.join(there) or 'none'}",
    )


def _channel(name: str) -> tuple[dict[str, str], str]:
    found = split(name)
    if found is None:
        raise SourceError(
            f"{name!r} is not the end of a BIDS name",
            where="dataset.channels",
            hint="write a suffix, with entities before it where needed: T1w, ce-gadolinium_T1w",
        )
    return found


def _labels(root: Path, options: BidsOptions) -> Iterable[Name]:
    places = [pipeline(root, options.pipeline)]
    if not options.pipeline:
        places += folders(root / "derivatives", "*")
    suffixes = LABELS if options.label_suffix == "any" else (options.label_suffix,)
    for place in places:
        for name in anatomy(place):
            if name.suffix in suffixes and name.has(options.label_entities):
                yield name


def _key(name: Name, fixed: bool) -> tuple[str, str, str]:
    """Subject, session and, unless the configuration names one, run."""
    return *_session(name), "" if fixed else name.entities.get("run", "")


def _session(name: Name) -> tuple[str, str]:
    return name.entities["sub"], name.entities.get("ses", "")


def _case(
    key: tuple[str, str, str],
    places: Sequence[Sequence[Name]],
    source: Source,
    labels: Sequence[Name],
    options: BidsOptions,
    *,
    alone: bool,
) -> CaseSource:
    parts = zip(("sub", "ses", "run"), key, strict=True)
    case = "_".join(f"{entity}-{value}" for entity, value in parts if value)
    problems = []
    for number, names in zip(sorted(source.channels), places, strict=True):
        channel = source.channels[number]
        if not names:
            problems.append(f"no image of channel {channel!r} in this session and run")
        elif len(names) > 1:
            problems.append(
                f"several images of channel {channel!r}: {_listed(names, source.root)}; choose "
                "with converter.entities or in the channel's name"
            )
    images = [names[0] for names in places if len(names) == 1]
    details: dict[str, object] = {}
    label = None
    if not source.unlabelled and not problems:
        fitting, others = _fitting(images, labels, alone=alone)
        if len(fitting) == 1:
            label = fitting[0]
        elif fitting:
            problems.append(
                f"several labels: {_listed(fitting, source.root)}; choose with "
                "converter.pipeline, label_suffix or label_entities"
            )
        else:
            why = f"; these don't fit: {_listed(others, source.root)}" if others else ""
            problems.append(f"no label (_dseg or _mask) of these images{why}")
    if label is not None and options.table and label.suffix == "dseg":
        try:
            table = table_of(label, source.root)
        except SourceError as error:
            problems.append(str(error))
        else:
            if table is not None:
                details |= {"table": str(table), "files": (table,), "labels": dict(source.labels)}
    if problems:
        details["problem"] = "; ".join(problems)
    return CaseSource(
        name=case,
        images=tuple(name.path for name in images),
        label=label.path if label else None,
        subject=key[0],
        details=details,
    )


def _fitting(
    images: Sequence[Name], labels: Sequence[Name], *, alone: bool
) -> tuple[list[Name], list[Name]]:
    """Labels of the session that contradict no entity of one of the images, and the others.

    A label without run, in a session of several, could be of any.
    """
    fitting = [
        name
        for name in labels
        if any(_agree(name, image) for image in images) and (alone or "run" in name.entities)
    ]
    return fitting, [name for name in labels if name not in fitting]


def _agree(label: Name, image: Name) -> bool:
    shared = (label.entities.keys() & image.entities.keys()) - _OF_LABELS
    return all(label.entities[entity] == image.entities[entity] for entity in shared)


def _listed(names: Iterable[Name], root: Path) -> str:
    return ", ".join(name.path.relative_to(root).as_posix() for name in names)
