"""Names of a segmentation's values: ``dseg.tsv`` with the columns ``index`` and ``name``.

Source: the BIDS specification, "Imaging data types" of derivatives, "Common image-derived labels".
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nnplug.errors import SourceError
from nnplug.rois import RoiOptions, choose
from nnplug_bids.names import Name, parse

if TYPE_CHECKING:
    import SimpleITK as sitk


def table_of(label: Name, root: Path) -> Path | None:
    """The table that holds for a label, by BIDS' inheritance principle; None without one.

    It lies beside the label or in a folder above, up to the dataset; all entities of its name
    are the label's. The nearest folder counts, and there the one with most entities.

    Raises:
        SourceError: two of a folder are equally specific.
    """
    for folder in label.path.parents:
        found = [
            name
            for path in folder.glob("*dseg.tsv")
            if (name := parse(path, (".tsv",))) and name.suffix == "dseg"
            if label.has(name.entities)
        ]
        most = max((len(name.entities) for name in found), default=0)
        best = sorted(name.path for name in found if len(name.entities) == most)
        if len(best) > 1:
            raise SourceError(
                f"several tables hold for it: {', '.join(path.name for path in best)}",
                where=str(label.path),
                hint="keep one, or use the values as they are: converter.table=false",
            )
        if best:
            return best[0]
        if folder == root:
            break
    return None


def read_table(path: Path) -> dict[int, str]:
    """Value to name.

    Raises:
        SourceError: the columns are missing, an index is no whole number or is there twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"the table can't be read: {error}", where=str(path)) from error
    names: dict[int, str] = {}
    for row in rows:
        index, name = row.get("index"), row.get("name")
        if not index or not name or not index.strip().isdecimal():
            raise SourceError(
                f"a row without a whole index or a name: {dict(row)}",
                where=str(path),
                hint="dseg.tsv has the columns index and name, separated by tabs",
            )
        if int(index) in names:
            raise SourceError(f"the index {int(index)} is there twice", where=str(path))
        names[int(index)] = name.strip()
    return names


def by_names(
    label: sitk.Image, table: Mapping[int, str], labels: Mapping[str, int], options: RoiOptions
) -> sitk.Image:
    """The label with the dataset's values; what the dataset doesn't name becomes background.

    Raises:
        SourceError: voxels have a value that the table lacks, or names don't fit the labels.
    """
    import numpy as np
    import SimpleITK as sitk

    values = sitk.GetArrayViewFromImage(label)
    strange = sorted(set(np.unique(values).tolist()) - {0, *table})
    if strange:
        raise SourceError(
            f"voxels have values that the table lacks: {', '.join(map(str, strange[:10]))}",
            hint="complete dseg.tsv, or use the values as they are: converter.table=false",
        )
    indices = [index for index in table if index != 0]
    chosen = choose([table[index] for index in indices], labels, options)
    new = np.zeros(values.shape, np.uint8)
    for name, positions in chosen.items():
        new[np.isin(values, [indices[position] for position in positions])] = labels[name]
    made = sitk.GetImageFromArray(new)
    made.CopyInformation(label)
    return made
