"""The converter for PNG, TIFF, JPEG and BMP files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nnplug.errors import SourceError
from nnplug.layout import find_cases
from nnplug.types import Case, CaseSource, Source
from nnplug_png.folders import SUFFIXES, is_stacks
from nnplug_png.objects import read_objects
from nnplug_png.options import PLANE_MM, PngOptions
from nnplug_png.stack import Stack, read_stack

if TYPE_CHECKING:
    import SimpleITK as sitk


class PngConverter:
    """Reads stacks of slices, TIFF volumes and single two-dimensional images.

    A column is a step along x, a row a step along y, a slice (or TIFF page) a step along z;
    the direction is the identity.
    """

    def __init__(self, options: PngOptions | None = None) -> None:
        self.options = options or PngOptions()

    def discover(self, source: Source) -> list[CaseSource]:
        """List the cases; see :func:`nnplug.layout.find_cases`.

        An image is a folder of slices, or where the source holds no such folders, a file.

        Raises:
            SourceError: the spacing is not given, the layout is not understood, or
                ``rgb="split"`` is chosen without three channels.
        """
        if self.options.spacing is None:
            raise SourceError(
                "these files don't hold the size of a voxel",
                where=str(source.root),
                hint="give it as converter.spacing=[x,y,z] in mm, or [x,y] for flat images",
            )
        if self.options.rgb == "split":
            if len(source.channels) != 3:
                raise SourceError(
                    f"colour gives three channels, the dataset has {len(source.channels)}",
                    where="converter.rgb",
                    hint="write dataset.channels={0: red, 1: green, 2: blue}",
                )
            first = min(source.channels)
            source = replace(source, channels={first: source.channels[first]})
        cases = find_cases(
            source,
            suffixes=SUFFIXES,
            folders=is_stacks(source),
            label_folders=self.options.labels.masks != "whole",
        )
        labels = {"labels": dict(source.labels)}
        return [replace(case, details={**case.details, **labels}) for case in cases]

    def read(self, case: CaseSource) -> Case:
        """Read one case.

        Raises:
            SourceError: a slice is missing, repeated, damaged, of another size or kind than
                the others, or in colour; or the label has other slices than the image.
        """
        if "problem" in case.details:
            raise SourceError(str(case.details["problem"]), where=case.name)
        stacks = [read_stack(path, rgb=self.options.rgb) for path in case.images]
        images = tuple(self._image(part) for s in stacks for part in self._parts(s, case))
        if case.label is None:
            return Case(images=images)
        options = self.options.labels
        if options.masks != "whole":
            voxels, notes = read_objects(case.label, stacks[0], case.details["labels"], options)
            return Case(images=images, label=self._image(voxels), provenance=notes)
        label = read_stack(case.label, rgb=self.options.rgb, label=True, colours=options.colours)
        _check_same_slices(stacks[0], label, case)
        return Case(images=images, label=self._image(label.voxels))

    def _parts(self, stack: Stack, case: CaseSource) -> list[np.ndarray]:
        if self.options.rgb != "split":
            return [stack.voxels]
        if stack.voxels.ndim != 4:
            raise SourceError(
                "this is no colour image, it can't be split",
                where=str(case.images[0]),
                hint="leave out converter.rgb=split",
            )
        return [np.ascontiguousarray(stack.voxels[..., i]) for i in range(3)]

    def _image(self, voxels: np.ndarray) -> sitk.Image:
        import SimpleITK as sitk

        image: sitk.Image = sitk.GetImageFromArray(voxels)
        assert self.options.spacing is not None
        if len(self.options.spacing) == 2 and len(voxels) > 1:
            raise SourceError(
                f"there are {len(voxels)} slices and no distance between them",
                where="converter.spacing",
                hint="give three values, [x,y,z] in mm",
            )
        image.SetSpacing((*self.options.spacing, PLANE_MM)[:3])
        image.SetOrigin(self.options.origin)
        return image


def _check_same_slices(image: Stack, label: Stack, case: CaseSource) -> None:
    if image.numbers == label.numbers:
        return
    only_image = sorted(set(image.numbers) - set(label.numbers))
    only_label = sorted(set(label.numbers) - set(image.numbers))
    raise SourceError(
        f"image and label have different slices: {len(image.numbers)} and {len(label.numbers)}"
        f" (only in the image: {only_image[:10]}; only in the label: {only_label[:10]})",
        where=case.name,
        hint="give the slices of image and label the same numbers",
    )
