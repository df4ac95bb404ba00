"""What a dataset is: its source, channels, labels and number."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

RESERVED_IDS = 100
LARGEST_ID = 999
LARGEST_LABEL = 255


@dataclass(frozen=True)
class Dataset:
    """``dataset``: what the source holds and which task it becomes.

    Attributes:
        name: the task's name, without id.
        task_id: its number, 100 to 999.
        force_task_id: allow a number below 100, which nnU-Net reserves.
        source: the folder of source images; not needed once the task folder is there.
        channels: channel number to name; ``CT`` makes nnU-Net use its CT normalisation.
        labels: label name to value, consecutive from 0 (background).
        unlabelled: convert images without labels; all go to imagesTs.
        test_fraction: which part of the subjects is held out, 0 to below 1.
        test: names (or patterns with ``*``) of cases that are held out.
        subject: who a case belongs to: a regular expression whose first group (or whole match)
            in the case's name is the subject, or a mapping from case to subject.
        pseudonym_key: a file of at least 16 secret bytes; with it a case's identifier is a
            pseudonym made from its name and the key instead of a number.
        images: patterns of the images, one a channel, with ``{case}``.
        label: the pattern of the label, with ``{case}``.
    """

    name: str
    task_id: int
    force_task_id: bool = False
    source: Path | None = None
    channels: dict[int, str] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    unlabelled: bool = False
    test_fraction: float = 0.0
    test: list[str] = field(default_factory=list)
    subject: str | dict[str, str] | None = None
    pseudonym_key: Path | None = None
    images: list[str] = field(default_factory=list)
    label: str | None = None
    description: str = ""
    reference: str = ""
    licence: str = ""
    release: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*(_[A-Za-z0-9-]+)*", self.name):
            raise ValueError(
                f"name {self.name!r} can't be part of a folder's name: "
                "use letters, digits, '-' and single '_'"
            )
        if not 1 <= self.task_id <= LARGEST_ID:
            raise ValueError(f"task_id {self.task_id} is not between 1 and {LARGEST_ID}")
        if self.task_id < RESERVED_IDS and not self.force_task_id:
            raise ValueError(
                f"task_id {self.task_id}: nnU-Net reserves the ids below {RESERVED_IDS} for the "
                f"Decathlon's tasks; choose {RESERVED_IDS} to {LARGEST_ID} or set "
                "dataset.force_task_id=true"
            )
        if sorted(self.channels) != list(range(len(self.channels))) or not self.channels:
            raise ValueError("channels must be numbered 0, 1, ...: channels={0: CT}")
        if not self.unlabelled:
            self._check_labels()
        if not 0 <= self.test_fraction < 1:
            raise ValueError(f"test_fraction {self.test_fraction} is not in [0, 1)")
        if isinstance(self.subject, str):
            try:
                re.compile(self.subject)
            except re.error as error:
                raise ValueError(f"subject is not a regular expression: {error}") from error

    def _check_labels(self) -> None:
        values = sorted(self.labels.values())
        if not values:
            raise ValueError("labels are missing: labels={background: 0, liver: 1}")
        if values != list(range(len(values))) or len(values) < 2:
            raise ValueError(
                f"labels must be numbered 0 (background), 1, 2, ... without gaps, not {values}; "
                "remap=table changes the values of the source"
            )
        if values[-1] > LARGEST_LABEL:
            raise ValueError(
                f"labels go up to {values[-1]}, but label images are written with 8 bits "
                f"(0 to {LARGEST_LABEL}); join some with remap=table"
            )

    @property
    def task(self) -> str:
        """nnU-Net's name of the task, e.g. ``Task128_LungLobe``."""
        return f"Task{self.task_id:03d}_{self.name}"
