"""``qc/qc.csv`` of a task folder: one row of measures a case."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from nnplug.data.measures import Measures
from nnplug.whole import write_text

FOLDER = "qc"
TABLE = "qc.csv"


def picture(task: Path, case: str) -> Path:
    """Where the picture of a case goes."""
    return task / FOLDER / f"{case}.png"


def table(task: Path) -> Path:
    """Where the table of all cases goes."""
    return task / FOLDER / TABLE


def write_table(task: Path, cases: Mapping[str, Measures]) -> None:
    """Write ``qc.csv``: a row a case, in the order given.

    Columns: case; size (voxels), spacing (mm) along x, y, z; orientation; of each channel the
    percentiles 1, 50 and 99, mean, minimum and maximum; of each label value its voxels, volume
    (mm3) and centroid (mm, LPS). A label that a case lacks has empty cells.

    Raises:
        StorageError: nothing can be written there.
    """
    rows = [_row(name, measures) for name, measures in cases.items()]
    labels = sorted({value for measures in cases.values() for value in measures.regions})
    channels = max((len(measures.channels) for measures in cases.values()), default=0)
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(channels, labels), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(table(task), text.getvalue())


def _columns(channels: int, labels: list[int]) -> list[str]:
    columns = ["case", *(f"{name}_{axis}" for name in ("size", "spacing") for axis in "xyz")]
    columns.append("orientation")
    for number in range(channels):
        columns += [f"channel_{number}_{name}" for name in _INTENSITIES]
    for value in labels:
        columns += [f"label_{value}_{name}" for name in ("voxels", "mm3", "x", "y", "z")]
    return columns


_INTENSITIES = {
    **{"p01": "p01", "p50": "p50", "p99": "p99"},
    **{"mean": "mean", "min": "minimum", "max": "maximum"},
}


def _row(case: str, measures: Measures) -> dict[str, str | int]:
    row: dict[str, str | int] = {"case": case, "orientation": measures.orientation}
    for axis, size, spacing in zip("xyz", measures.size, measures.spacing, strict=True):
        row[f"size_{axis}"] = size
        row[f"spacing_{axis}"] = f"{spacing:.6g}"
    for number, values in enumerate(measures.channels):
        for column, attribute in _INTENSITIES.items():
            row[f"channel_{number}_{column}"] = f"{getattr(values, attribute):.6g}"
    for value, region in measures.regions.items():
        row[f"label_{value}_voxels"] = region.voxels
        row[f"label_{value}_mm3"] = f"{region.volume_mm3:.6g}"
        for axis, place in zip("xyz", region.centroid_mm, strict=True):
            row[f"label_{value}_{axis}"] = f"{place:.6g}"
    return row
