"""What there is to predict: files named as nnU-Net does, or a source of any format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import SimpleITK as sitk

from nnplug.catalog import Catalog
from nnplug.config.folders import Folders
from nnplug.config.load import existing_folder
from nnplug.config.settings import KEEP, DataSettings, Predict
from nnplug.data import orientation
from nnplug.data.taskfolder import TaskFolder
from nnplug.engine.prediction import PredictCase
from nnplug.errors import ConfigError, DataError
from nnplug.stages.case import Job, prepare
from nnplug.stages.input_files import SUFFIX, Files, named_files
from nnplug.stages.jobs import find_jobs
from nnplug.types import CaseSource


class Input(Protocol):
    """Cases, and how to get at them.

    Attributes:
        cases: in order; with the files that errors name.
        channel: the number of the channel whose grid the masks get.
    """

    cases: list[PredictCase]
    channel: int

    def read(self, case: PredictCase) -> Sequence[Path] | Sequence[sitk.Image]:
        """The channels as the network wants them."""
        ...

    def source(self, case: PredictCase) -> CaseSource:
        """Where they came from."""
        ...

    def back(self, case: PredictCase, image: sitk.Image) -> sitk.Image:
        """An image on the grid of the channels that were read, as the source has its axes."""
        ...


def check_there(named: Path | list[Path]) -> None:
    """Refuse an input that does not exist.

    Raises:
        ConfigError: with the first such path.
    """
    if isinstance(named, list) or named.is_file():
        named_files(named)
    else:
        existing_folder(named, "input")


def find_input(settings: Predict, catalog: Catalog, folders: Folders, channels: int) -> Input:
    """Look at ``settings.input``; no pixel is read.

    A folder with NIfTI files in it is nnU-Net's, unless the dataset turns the axes; any other
    folder is read by the dataset's converter.

    Raises:
        ConfigError: it is not there, or doesn't fit the model's channels.
        DataError, SourceError: there is no case in it, or it can't be understood.
    """
    named = settings.input
    if isinstance(named, list) or named.is_file():
        return Files(named_files(named), channels)
    folder = existing_folder(named, "input")
    files = [p for p in folder.iterdir() if p.name.endswith(SUFFIX) and p.name[0] != "."]
    data = settings.data
    if files and (data is None or data.convert.orient == KEEP):
        return Files(sorted(files), channels)
    if data is None:
        raise DataError(
            f"there is no {SUFFIX} file",
            where=str(folder),
            hint="give dataset=NAME as well, whose converter then reads other formats",
        )
    if len(data.dataset.channels) != channels:
        raise ConfigError(
            f"the dataset has {len(data.dataset.channels)} channels, the model takes {channels}",
            where="dataset.channels",
        )
    return Converted(data, catalog, folders, folder)


@dataclass(frozen=True)
class Grid:
    """Where an image lies: its axes as a code and its exact geometry (mm; x, y, z)."""

    code: str
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]


class Converted:
    """A source, read by the dataset's converter and brought onto one grid as in conversion."""

    def __init__(
        self, data: DataSettings, catalog: Catalog, folders: Folders, source: Path
    ) -> None:
        dataset = replace(data.dataset, source=source, unlabelled=True, subject=None)
        task = TaskFolder(folders.task(dataset.task))
        jobs = find_jobs(replace(data, dataset=dataset), catalog, task)
        secret = dataset.pseudonym_key is not None
        names = [job.numbered.identifier if secret else job.numbered.source.name for job in jobs]
        self._jobs: dict[str, Job] = dict(zip(names, jobs, strict=True))
        self._grids: dict[str, Grid] = {}
        self._orient = data.convert.orient
        self.channel = data.reference or 0
        self.cases = [
            PredictCase(name, job.numbered.source.images) for name, job in self._jobs.items()
        ]

    def read(self, case: PredictCase) -> Sequence[sitk.Image]:
        """Prepared as in conversion, the axes turned last so that masks find the way back."""
        job = self._jobs[case.name]
        images = prepare(replace(job, convert=replace(job.convert, orient=KEEP))).images
        first = images[0]
        self._grids[case.name] = Grid(
            orientation.code(first), first.GetSpacing(), first.GetOrigin(), first.GetDirection()
        )
        if self._orient == KEEP:
            return images
        return [orientation.oriented(image, self._orient) for image in images]

    def source(self, case: PredictCase) -> CaseSource:
        """The case as the converter found it."""
        return self._jobs[case.name].numbered.source

    def back(self, case: PredictCase, image: sitk.Image) -> sitk.Image:
        """Turned to the source's axes, on exactly its grid."""
        grid = self._grids[case.name]
        turned = orientation.oriented(image, grid.code)
        turned.SetSpacing(grid.spacing)
        turned.SetOrigin(grid.origin)
        turned.SetDirection(grid.direction)
        return turned
