"""The converter ``dicom``: finds the series and labels of each case, and reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from nnplug.errors import ConfigError, SourceError
from nnplug.formats.itk import read_image
from nnplug.formats.masks import read_masks
from nnplug.types import Case, CaseSource, Source
from nnplug_dicom.cases.folders import CaseFiles, cases_by_folder
from nnplug_dicom.cases.index import Index, images, read_tree
from nnplug_dicom.cases.labelling import NO_LABEL
from nnplug_dicom.cases.patients import cases_by_id
from nnplug_dicom.cases.plan import plan_case
from nnplug_dicom.cases.select import unknown_rules
from nnplug_dicom.headers.header import Header
from nnplug_dicom.options import DicomOptions
from nnplug_dicom.volumes.volume import Volume, read_series

_MOVED = "taken from the slices to the nearest planes of the resampled grid"


class DicomConverter:
    """Reads DICOM image series, one a channel, with label volumes, SEGs or RTSTRUCTs.

    What ``CaseSource.details`` holds says :func:`nnplug_dicom.cases.plan.plan_case`.
    """

    def __init__(self, options: DicomOptions | None = None) -> None:
        self.options = options or DicomOptions()

    def discover(self, source: Source) -> list[CaseSource]:
        """List the cases with the series of each channel; reads headers, no pixels.

        A case whose series can't be told apart, or with a damaged file, has its reason in
        ``details["problem"]``. The subject is the PatientID, or the case's name without one.

        Raises:
            SourceError: there is no DICOM, or no label for any case.
            ConfigError: a rule in ``converter.channels`` names no channel.
        """
        unknown = unknown_rules(self.options.channels, source.channels)
        if unknown:
            raise ConfigError(
                f"there is a rule for {', '.join(unknown)}, but the channels are "
                f"{', '.join(f'{n}: {name}' for n, name in sorted(source.channels.items()))}",
                where="converter.channels",
                hint="name the rule after the channel's name or number",
            )
        if not source.root.is_dir():
            raise SourceError("there is no such folder", where=str(source.root))
        source = replace(source, root=source.root.absolute())
        files = self._cases(read_tree(source.root, source.apply), source)
        if not any(images(entries) for case in files for entries in case.groups):
            raise SourceError(
                "there is no DICOM image in it",
                where=str(source.root),
                hint="look at the folder and the converter's name",
            )
        cases = [plan_case(case, source, self.options) for case in files]
        if all(c.details.get("problem") == NO_LABEL for c in cases):
            raise SourceError(
                "there are images but no labels that belong to them",
                where=str(source.root),
                hint="put labels into labels/CASE.nii.gz beside images/CASE/, or a volume, SEG "
                "or RTSTRUCT into each case's folder; or name them with dataset.images and "
                "dataset.label; or set dataset.unlabelled=true to convert the images as test "
                "cases",
            )
        return cases

    def read(self, case: CaseSource) -> Case:
        """Read one case; each image has the grid of its own series, the label that of one.

        Raises:
            SourceError: a series is no regular volume, a label does not fit, a file is damaged
                or of a kind that is not supported, or the case had a problem when it was found.
        """
        if "problem" in case.details:
            raise SourceError(str(case.details["problem"]), where=f"case {case.name}")
        volumes, notes = list[Volume](), dict[str, str]()
        for channel, headers in enumerate(case.details["series"]):
            try:
                volumes.append(read_series(headers, self.options))
            except SourceError as error:
                raise _within(error, f"case {case.name}, channel {channel}") from error
            notes[f"series {channel}"] = _note(headers[0], volumes[-1].image)
            notes |= {f"{key} {channel}": note for key, note in volumes[-1].notes.items()}
        try:
            label, label_notes = self._label(case, volumes)
        except SourceError as error:
            raise _within(error, f"case {case.name}, label") from error
        return Case(tuple(v.image for v in volumes), label, {**notes, **label_notes})

    def _cases(self, index: Index, source: Source) -> list[CaseFiles]:
        if self.options.cases in ("patient", "study"):
            return cases_by_id(index, study=self.options.cases == "study")
        return cases_by_folder(index, source, one_exam=self.options.cases == "auto")

    def _label(
        self, case: CaseSource, volumes: Sequence[Volume]
    ) -> tuple[sitk.Image | None, Mapping[str, str]]:
        if case.label is None:
            return None, {}
        number = case.details["reference"]
        volume, headers = volumes[number], case.details["series"][number]
        if not case.details["structures"]:
            drawn, notes = self._drawn(case.label, case.details["labels"])
            label = volume.label_onto(drawn)
            return label, notes if label is drawn else {**notes, "label geometry": _MOVED}
        from nnplug_dicom.labels.draw import ImageReference, draw_label

        reference = ImageReference(
            headers[0].series,
            headers[0].frame_of_reference,
            frozenset(h.instance for h in headers if h.instance),
        )
        values, notes = draw_label(
            case.details["structures"],
            volume.lattice,
            reference,
            case.details["labels"],
            self.options.labels,
        )
        if volume.resampler is not None:
            notes["label geometry"] = _MOVED
        return volume.place(values), notes

    def _drawn(self, label: Path, labels: Mapping[str, int]) -> tuple[sitk.Image, dict[str, str]]:
        if label.is_dir():
            return read_masks(label, labels, self.options.labels)
        return read_image(label), {}


def _within(error: SourceError, place: str) -> SourceError:
    within = f", {error.where}" if error.where else ""
    return SourceError(error.problem, where=place + within, hint=error.hint)


def _note(header: Header, image: Any) -> str:
    spacing = " x ".join(f"{v:.4g}" for v in image.GetSpacing())
    return f"{header.modality or 'no modality'}, {image.GetDepth()} slices, {spacing} mm"
