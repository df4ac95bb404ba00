"""The keys below ``converter.`` for ``converter=bids``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from nnplug.rois import RoiOptions


@dataclass(frozen=True)
class BidsOptions:
    """Options of the BIDS converter.

    Attributes:
        entities: what images are chosen by, e.g. ``{ses: "01", acq: hires}``; ``""`` asks for
            names without that entity.
        images: folder below ``derivatives/`` with the images; without it those of the dataset.
        pipeline: folder below ``derivatives/`` with the labels; without it all of them and the
            dataset itself are looked through.
        label_suffix: ``dseg`` or ``mask``; ``any`` takes both.
        label_entities: what labels are chosen by, e.g. ``{desc: lesion}`` or ``{label: GM}``.
        table: read a label's values by the names in its ``dseg.tsv``, if there is one.
        labels: which names of that table are which label.
    """

    entities: Mapping[str, str] = field(default_factory=dict)
    images: str = ""
    pipeline: str = ""
    label_suffix: Literal["any", "dseg", "mask"] = "any"
    label_entities: Mapping[str, str] = field(default_factory=dict)
    table: bool = True
    labels: RoiOptions = field(default_factory=RoiOptions)

    def __post_init__(self) -> None:
        for name in ("entities", "label_entities"):
            for entity, value in getattr(self, name).items():
                if not re.fullmatch(r"[a-z]+", entity):
                    raise ValueError(f"{name}: {entity!r} is no entity, such as ses, acq, desc")
                if not re.fullmatch(r"[A-Za-z0-9+]*", value):
                    raise ValueError(
                        f"{name}: {entity}={value!r} can't stand in a BIDS name; write the value "
                        f"alone, such as {entity}: 01"
                    )
        for name in ("images", "pipeline"):
            if getattr(self, name).startswith((".", "/")) or ".." in getattr(self, name):
                raise ValueError(f"{name} must be a folder below derivatives/")
