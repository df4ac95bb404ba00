"""What is done with the cases of any layout: one a name, in order, and not all of them bad."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from nnplug.errors import SourceError
from nnplug.layout.scan import Kind, listed, natural_key
from nnplug.types import CaseSource, Source


def finish(cases: list[CaseSource], kind: Kind, source: Source) -> list[CaseSource]:
    """Return one case a name in natural order; a name that occurs twice is a problem.

    Raises:
        SourceError: there is no case, or none that can be used.
    """
    if not cases:
        where = "that the patterns match" if source.layout.images else "in a known layout"
        raise SourceError(
            f"there are no {kind} {where}",
            where=str(source.root),
            hint="look at the folder and the converter's name, or describe the layout with "
            "dataset.images and dataset.label",
        )
    named: dict[str, list[CaseSource]] = defaultdict(list)
    for case in cases:
        named[case.name].append(case)
    merged = [group[0] if len(group) == 1 else _clash(group, source) for group in named.values()]
    if all("problem" in c.details for c in merged):
        counts = Counter(c.details["problem"] for c in merged)
        reasons = [
            f"{reason} ({listed([c.name for c in merged if c.details['problem'] == reason])})"
            for reason in counts
        ]
        raise SourceError(
            f"none of the {len(merged)} cases can be used: {listed(reasons)}",
            where=str(source.root),
            hint="mend the names, or describe the layout with dataset.images and dataset.label",
        )
    return sorted(merged, key=lambda c: natural_key(c.name))


def _clash(group: list[CaseSource], source: Source) -> CaseSource:
    paths = [p.relative_to(source.root).as_posix() for c in group for p in c.images]
    return replace(group[0], details={"problem": f"several cases of this name: {listed(paths)}"})
