"""The task folder: nnU-Net's raw data of one task, and nnplug's records beside it.

``dataset.json`` is removed before anything changes and written last, so a folder that has one
is complete.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnplug.data import orientation, qc
from nnplug.data.files import value_hash
from nnplug.errors import DataError
from nnplug.types import Split
from nnplug.whole import storage_errors, write_json, write_text

DATASET_JSON = "dataset.json"
CASE_MAP = "case_map.csv"
MANIFEST = "nnplug_manifest.jsonl"
SHARDS = "nnplug_shards"
SOURCE_LABELS = "nnplug_labels.json"
DATA_FOLDERS = ("imagesTr", "labelsTr", "imagesTs", "labelsTs")


@dataclass(frozen=True)
class Row:
    """One converted case in the manifest.

    Attributes:
        case: nnU-Net's identifier, e.g. ``LungLobe_007``.
        original: the case's name in the source.
        subject: who was scanned.
        split: train or test.
        key: hash of the source's content and of every option that shaped the result.
        sources: path, size, modification time and content hash of each source file.
        outputs: path below the task folder, and hash of the content, of each file written.
        stamps: size and modification time of each of these.
        values: label values of the source.
        labels: voxels per label value; empty without a label.
        provenance: what was done to this case.
        measures: figures of its images and label; empty without quality control.
    """

    case: str
    original: str
    subject: str
    split: Split
    key: str
    sources: list[list[Any]]
    outputs: dict[str, str]
    stamps: dict[str, list[int]] = field(default_factory=dict)
    values: list[int] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    measures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskFolder:
    """Paths and records of ``nnUNet_raw_data/TaskXXX_Name``."""

    path: Path

    def image(self, case: str, channel: int, split: Split) -> Path:
        """Where a channel of a case goes."""
        folder = "imagesTr" if split == "train" else "imagesTs"
        return self.path / folder / f"{case}_{channel:04d}.nii.gz"

    def label(self, case: str, split: Split) -> Path:
        """Where a case's label goes."""
        folder = "labelsTr" if split == "train" else "labelsTs"
        return self.path / folder / f"{case}.nii.gz"

    @property
    def is_complete(self) -> bool:
        """Whether a conversion (by anyone) was finished here."""
        return (self.path / DATASET_JSON).is_file()

    @property
    def is_foreign(self) -> bool:
        """Whether somebody else put data here; nnplug begins with its manifest."""
        inside = (self.path / folder for folder in DATA_FOLDERS)
        return not (self.path / MANIFEST).is_file() and (
            self.is_complete or any(any(folder.glob("*")) for folder in inside)
        )

    def description(self) -> dict[str, Any]:
        """``dataset.json``.

        Raises:
            DataError: it is missing or not JSON.
        """
        path = self.path / DATASET_JSON
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(
                "there is no dataset.json: the task was not (completely) converted",
                where=str(self.path),
                hint="run `nnplug convert` with the same dataset",
            ) from None
        except ValueError as error:
            raise DataError(f"is not JSON: {error}", where=str(path)) from error
        if not isinstance(value, dict):
            raise DataError("is not a JSON object", where=str(path))
        return value

    def training_cases(self) -> list[str]:
        """Identifiers of the training cases that ``dataset.json`` lists.

        Raises:
            DataError: the list is not as nnU-Net wants it.
        """
        listed = self.description().get("training", [])
        try:
            return [Path(entry["image"]).name.removesuffix(".nii.gz") for entry in listed]
        except (TypeError, KeyError) as error:
            raise DataError(
                "training is not a list of images and labels",
                where=str(self.path / DATASET_JSON),
                hint='write it as [{"image": "./imagesTr/X.nii.gz", "label": ...}, ...]',
            ) from error

    def rows(self) -> dict[str, Row]:
        """The manifest: original name to row; rows that can't be read are left out.

        What shards have done since counts too.
        """
        rows = {}
        for path in (self.path / MANIFEST, *sorted((self.path / SHARDS).glob("*/*.jsonl"))):
            if not path.is_file():
                continue
            for line in path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    row = Row(**json.loads(line))
                    rows[row.original] = row
        return rows

    def append(self, row: Row, part: Path | None = None) -> None:
        """Add a row as soon as its case is whole, to the manifest or to that of a shard."""
        path = part or self.path / MANIFEST
        with storage_errors(path), path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(vars(row)) + "\n")

    def shards(self, name: str) -> Path:
        """Where the shards of one command note their cases; they go on as long as it is there."""
        return self.path / SHARDS / name

    def begin(self, shards: str | None = None) -> None:
        """Make the folders, and say that what is here is no longer complete.

        Shards of another name that may still run are stopped; what they have done is kept.
        """
        with storage_errors(self.path):
            for folder in ("imagesTr", "labelsTr", "imagesTs"):
                (self.path / folder).mkdir(parents=True, exist_ok=True)
            (self.path / MANIFEST).touch()
            (self.path / DATASET_JSON).unlink(missing_ok=True)
            others = [p for p in (self.path / SHARDS).glob("*") if p.name != shards]
            if others:
                self._write_manifest(self.rows().values())
            for other in others:
                shutil.rmtree(other)
            if shards is not None:
                self.shards(shards).mkdir(parents=True, exist_ok=True)

    def source_labels(self) -> dict[str, Any]:
        """How label values were changed: ``values``, from the dataset's to the source's (null
        if there is no way back), and ``lost``, what is not restored; empty if unchanged.
        """
        path = self.path / SOURCE_LABELS
        if not path.is_file():
            return {}
        with contextlib.suppress(ValueError):
            content = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(content, dict):
                return content
        raise DataError("is not a JSON object", where=str(path), hint="convert the task again")

    def orientations(self) -> list[str]:
        """Every code of the axes of training images, by their headers; empty without images."""
        files = (self.image(case, 0, "train") for case in self.training_cases())
        return sorted({found.code for found in map(orientation.axes, files) if found is not None})

    def finish(
        self,
        rows: Sequence[Row],
        description: Mapping[str, Any],
        source_labels: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the records; ``dataset.json`` comes last.

        Args:
            rows: every case of the task.
            description: ``dataset.json`` but for its lists of cases.
            source_labels: see :meth:`source_labels`; None if the values are the source's.
        """
        for path in self._strangers(rows):
            path.unlink()
        ordered = sorted(rows, key=lambda row: row.case)
        self._write_manifest(ordered)
        shutil.rmtree(self.path / SHARDS, ignore_errors=True)
        write_text(self.path / CASE_MAP, _case_map(ordered))
        if source_labels is None:
            (self.path / SOURCE_LABELS).unlink(missing_ok=True)
        else:
            write_json(self.path / SOURCE_LABELS, source_labels)
        write_json(self.path / DATASET_JSON, {**description, **_listing(ordered)})

    def _write_manifest(self, rows: Iterable[Row]) -> None:
        lines = (json.dumps(vars(row)) + "\n" for row in rows)
        write_text(self.path / MANIFEST, "".join(lines))

    def holds(
        self,
        rows: Sequence[Row],
        description: Mapping[str, Any],
        source_labels: Mapping[str, Any] | None,
    ) -> bool:
        """Whether :meth:`finish` with the same arguments would change nothing."""
        ordered = sorted(rows, key=lambda row: row.case)
        wanted = [{**description, **_listing(ordered)}, source_labels or {}]
        return (
            self.is_complete
            and not any(True for _ in self._strangers(rows))
            and qc.table(self.path).is_file() == any(row.measures for row in rows)
            and sorted(self.rows().values(), key=lambda row: row.case) == ordered
            and [self.description(), self.source_labels()] == json.loads(json.dumps(wanted))
        )

    def _strangers(self, rows: Sequence[Row]) -> Iterator[Path]:
        """The files of cases that the source no longer has."""
        known = {self.path / name for row in rows for name in row.outputs}
        drawn = [qc.picture(self.path, row.case) for row in rows if row.measures]
        known |= {*drawn, *([qc.table(self.path)] if drawn else [])}
        for folder in (*DATA_FOLDERS, qc.FOLDER):
            for path in (self.path / folder).glob("*"):
                if path not in known and not path.is_dir():
                    yield path

    def data_hash(self) -> str:
        """One hash over everything that planning and training read here.

        Files that nnplug did not write are told apart by size and modification time.
        """
        listed = {
            name: digest for row in self.rows().values() for name, digest in row.outputs.items()
        }
        state: list[Any] = [self.description()]
        for folder in ("imagesTr", "labelsTr"):
            for path in sorted((self.path / folder).glob("*.nii.gz")):
                name = f"{folder}/{path.name}"
                stat = path.stat()
                state.append([name, listed.get(name) or [stat.st_size, stat.st_mtime_ns]])
        return value_hash(state)


def other_tasks(task: str, folders: Iterable[Path]) -> list[Path]:
    """Folders of a different task with the same id."""
    prefix = task[: len("Task000_")]
    return [
        path
        for folder in folders
        for path in sorted(folder.glob(f"{prefix}*"))
        if path.is_dir() and path.name != task
    ]


def _case_map(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", "original", "subject", "split"])
    writer.writerows([row.case, row.original, row.subject, row.split] for row in rows)
    return text.getvalue()


def _listing(rows: Sequence[Row]) -> dict[str, Any]:
    train = [row.case for row in rows if row.split == "train"]
    test = [row.case for row in rows if row.split == "test"]
    return {
        "numTraining": len(train),
        "numTest": len(test),
        "training": [
            {"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"}
            for case in train
        ],
        "test": [f"./imagesTs/{case}.nii.gz" for case in test],
    }
