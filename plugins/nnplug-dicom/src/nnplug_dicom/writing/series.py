"""What an object that refers to a series repeats of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydicom.dataset import Dataset

from nnplug.errors import SourceError
from nnplug.types import CaseSource
from nnplug_dicom.headers.header import Header
from nnplug_dicom.labels.dataset import read_dataset

# What every object of a study repeats (PS3.3, C.7.1.1, C.7.2.1): without a value, and with one.
MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
    *("StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


def headers_of(case: CaseSource, channel: int, what: str) -> Sequence[Header]:
    """The planes of the series that a channel was read from.

    Raises:
        SourceError: the case is no DICOM series; ``what`` refers to one.
    """
    series: Mapping[int, Sequence[Header]] | None = case.details.get("series")
    if not series:
        raise SourceError(
            f"a DICOM {what} refers to a DICOM series, and this case has none",
            where=f"case {case.name}",
            hint="predict the DICOM folder itself with dataset=NAME converter=dicom",
        )
    return series[channel]


def repeated(path: Path, what: str) -> Dataset:
    """The header of an image, with the elements that ``what`` repeats.

    Raises:
        SourceError: one that needs a value is missing.
    """
    source = read_dataset(path)
    missing = [keyword for keyword in _NEEDED if not source.get(keyword)]
    if missing:
        raise SourceError(
            f"the image has no {', '.join(missing)}, which {what} has to repeat",
            hint="write masks of this series as format=nii.gz, mha or nrrd",
        )
    for keyword in MAY_BE_EMPTY:
        if keyword not in source:
            setattr(source, keyword, "")
    return source


def present(values: NDArray[Any], labels: Mapping[str, int]) -> dict[str, int]:
    """The labels that occur, in order; all of them if none does."""
    found = {name: value for name, value in labels.items() if (values == value).any()}
    return found or dict(labels)
