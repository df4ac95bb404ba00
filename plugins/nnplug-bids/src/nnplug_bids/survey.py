"""What a BIDS dataset holds, by names and headers."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from nnplug.errors import SourceError
from nnplug.formats.itk import outline
from nnplug.types import Found, Survey
from nnplug_bids.cases import LABELS
from nnplug_bids.names import Name, anatomy, folders
from nnplug_bids.tables import read_table, table_of


def survey(root: Path) -> Survey:
    """List images and labels; suggest the suffixes that every session has exactly once.

    Raises:
        SourceError: a file's name contradicts its folders.
    """
    found = list(anatomy(root))
    images = [name for name in found if name.suffix not in LABELS]
    labels = [name for name in found if name.suffix in LABELS]
    for place in folders(root / "derivatives", "*"):
        labels += [name for name in anatomy(place) if name.suffix in LABELS]
    suffixes = _channels(images)
    return Survey(
        found=tuple(_found(name, root, suffixes) for name in (*images, *labels)),
        channels=dict(enumerate(suffixes)) or {0: "T1w"},
        labels=_names(labels, root),
        unlabelled=not labels,
    )


def _channels(images: list[Name]) -> list[str]:
    sessions: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for name in images:
        sessions[name.entities["sub"], name.entities.get("ses", "")][name.suffix] += 1
    counts = Counter(name.suffix for name in images)
    everywhere = [s for s in counts if all(session[s] == 1 for session in sessions.values())]
    return sorted(everywhere) or [suffix for suffix, _ in counts.most_common(1)]


def _names(labels: list[Name], root: Path) -> dict[str, int]:
    """Names in the labels' tables, numbered from 1; none if there is no table."""
    names: dict[str, None] = {}
    for label in (name for name in labels if name.suffix == "dseg"):
        try:
            table = table_of(label, root)
            rows = read_table(table) if table else {}
        except SourceError:
            continue  # said when the case is found
        names.update(dict.fromkeys(name for index, name in rows.items() if index))
    return {"background": 0, **{name: n for n, name in enumerate(names, 1)}} if names else {}


def _found(name: Name, root: Path, suffixes: list[str]) -> Found:
    label = name.suffix in LABELS
    problem = ""
    size: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    try:
        grid = outline(name.path)
        size, spacing = grid.size, grid.spacing
    except SourceError as error:
        problem = error.problem
    use = ("label",) if label else (name.suffix,) if name.suffix in suffixes else ()
    rest = (f"{k}-{v}" for k, v in name.entities.items() if k not in ("sub", "ses"))
    return Found(
        path=name.path.relative_to(root).as_posix(),
        kind="label" if label else "image",
        subject=name.entities["sub"],
        study=name.entities.get("ses", ""),
        description="_".join((*rest, name.suffix)),
        size=size,
        spacing=spacing,
        use=() if problem else use,
        problem=problem,
    )
