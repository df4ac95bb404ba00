"""The converter ``dicom``: finds the series of each case, and reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import SimpleITK as sitk

from nnplug.errors import SourceError
from nnplug.types import Case, CaseSource, Source
from nnplug_dicom.cases import NO_LABEL, CaseFolder, find_folders
from nnplug_dicom.geometry import Grid, build_grid
from nnplug_dicom.header import Header, read_header
from nnplug_dicom.index import Series, read_folder
from nnplug_dicom.options import DicomOptions
from nnplug_dicom.pixels import stored_type
from nnplug_dicom.select import select, unknown_rules
from nnplug_dicom.volume import read_volume


class DicomConverter:
    """Reads DICOM image series, one a channel, and label volumes on the same grid.

    ``CaseSource.details`` holds ``"series"``: for each channel the names of its files, relative
    to the channel's folder in ``images``; or ``"problem"``: why the case can't be read.
    """

    def __init__(self, options: DicomOptions | None = None) -> None:
        self.options = options or DicomOptions()

    def discover(self, source: Source) -> list[CaseSource]:
        """List the cases with the series of each channel; reads headers, no pixels.

        A case whose series can't be told apart, or with a damaged file, has its reason in
        ``details["problem"]``. The subject is the PatientID, or the case's name without one.

        Raises:
            SourceError: there is no DICOM, or no label for any case, or a rule in
                ``converter.channels`` names no channel.
        """
        unknown = unknown_rules(self.options.channels, source.channels)
        if unknown:
            raise SourceError(
                f"converter.channels has a rule for {', '.join(unknown)}, but the channels are "
                f"{', '.join(f'{n}: {name}' for n, name in sorted(source.channels.items()))}"
            )
        found = [self._inspect(folder, source) for folder in find_folders(source)]
        cases = [case for case, _ in found]
        if not any(has_images for _, has_images in found):
            raise SourceError(
                "there is no DICOM image in it",
                where=str(source.root),
                hint="look at the folder and the converter's name",
            )
        if all(c.details.get("problem") == NO_LABEL for c in cases):
            raise SourceError(
                "there are images but no label volumes that belong to them",
                where=str(source.root),
                hint="put labels into labels/CASE.nii.gz beside images/CASE/, or one into each "
                "case's folder; or name them with layout.images and layout.label; or set "
                "unlabelled=true to convert the images as test cases",
            )
        return cases

    def read(self, case: CaseSource) -> Case:
        """Read the pixels of one case; each image has the grid of its own series.

        Raises:
            SourceError: a series is no regular volume, a file is damaged or of a kind that is
                not supported, or the case had a problem when it was found.
        """
        if "problem" in case.details:
            raise SourceError(str(case.details["problem"]), where=f"case {case.name}")
        images, notes = [], {}
        for channel, (folder, names) in enumerate(
            zip(case.images, case.details["series"], strict=True)
        ):
            try:
                image, note = self._image([folder / name for name in names])
            except SourceError as error:
                place = f"case {case.name}, channel {channel}"
                within = f", {error.where}" if error.where else ""
                raise SourceError(error.problem, where=place + within, hint=error.hint) from error
            images.append(image)
            notes[f"series {channel}"] = note
        return Case(tuple(images), _label(case.label), notes)

    def _image(self, paths: list[Path]) -> tuple[sitk.Image, str]:
        headers = []
        for path in paths:
            header = read_header(path)
            if header is None:
                raise SourceError("is no DICOM image any more", where=path.name)
            stored_type(header)
            headers.append(header)
        grid = build_grid(headers, self.options.min_slices)
        return read_volume(headers, grid), _note(headers[0], grid)

    def _inspect(self, folder: CaseFolder, source: Source) -> tuple[CaseSource, bool]:
        subject, details, has_images = None, dict[str, Any](), True
        folders = folder.folders * (len(source.channels) if len(folder.folders) == 1 else 1)
        try:
            series = [read_folder(f) for f in folder.folders]
            has_images = any(series)
            if folder.problem:
                raise SourceError(folder.problem)
            chosen = self._choose(series, source)
            subject = chosen[0].first.patient or folder.name
            details["series"] = tuple(
                tuple(h.path.relative_to(base).as_posix() for h in one.headers)
                for base, one in zip(folders, chosen, strict=True)
            )
        except SourceError as error:
            lead = f"{error.where}: {error.problem}" if error.where else error.problem
            details["problem"] = f"{lead}; {error.hint}" if error.hint else lead
        found = CaseSource(folder.name, folders, folder.label, subject, folder.split, details)
        return found, has_images

    def _choose(self, series: list[list[Series]], source: Source) -> list[Series]:
        rules = self.options.channels
        if len(series) == 1:
            return select(series[0], source.channels, rules)
        return [
            select(found, {number: source.channels[number]}, rules)[0]
            for found, number in zip(series, sorted(source.channels), strict=True)
        ]


def _note(header: Header, grid: Grid) -> str:
    spacing = " x ".join(f"{v:.4g}" for v in grid.spacing)
    return f"{header.modality or 'no modality'}, {len(grid.order)} slices, {spacing} mm"


def _label(path: Path | None) -> sitk.Image | None:
    if path is None:
        return None
    from nnplug.formats.itk import read_image

    return read_image(path)
