"""From the slices of a series to one image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug_dicom.headers.header import Header
from nnplug_dicom.options import DicomOptions
from nnplug_dicom.volumes.copies import drop_copies
from nnplug_dicom.volumes.geometry import Grid, even_grid, find_faults, refuse
from nnplug_dicom.volumes.lattice import Lattice
from nnplug_dicom.volumes.pixels import stored_type
from nnplug_dicom.volumes.resample import Resampler
from nnplug_dicom.volumes.stack import stack_slices
from nnplug_dicom.volumes.values import read_values


@dataclass(frozen=True)
class Volume:
    """One series as an image.

    Attributes:
        image: real-world values (HU for CT), without metadata.
        notes: what was changed or is worth knowing, for the manifest; no patient data.
        resampler: how the slices came onto the image's grid, where they were resampled.
    """

    image: sitk.Image
    notes: Mapping[str, str] = field(default_factory=dict)
    resampler: Resampler | None = None

    @property
    def lattice(self) -> Lattice:
        """The voxels to draw a label on: the image's, or the slices' before resampling."""
        if self.resampler is None:
            return Lattice.of(self.image)
        stack = self.resampler.stack
        return Lattice.of_slices(stack.positions, stack.axes, stack.spacing, stack.size)

    def place(self, values: NDArray[Any]) -> sitk.Image:
        """Return label values (z, y, x) on the lattice as an image on the volume's grid."""
        if self.resampler is not None:
            return _image(self.resampler.place(values), self.resampler.grid)
        label: Any = sitk.GetImageFromArray(values)
        label.CopyInformation(self.image)
        return cast(sitk.Image, label)

    def label_onto(self, label: sitk.Image) -> sitk.Image:
        """Take a label that was drawn on the slices to where the slices went.

        A label on another grid than that of the slices is returned as it is.

        Raises:
            SourceError: the label fits the slices and the new grid, which are different.
        """
        if self.resampler is None:
            return label
        values = self.resampler.label(label)
        return label if values is None else _image(values, self.resampler.grid)


def read_series(headers: Sequence[Header], options: DicomOptions) -> Volume:
    """Read a series as one volume on a regular grid.

    With ``options.geometry`` "resample", copies of a slice are left out, and slices that lie on
    no regular grid are brought onto one; see :mod:`nnplug_dicom.volumes.resample`.

    Args:
        headers: one a plane, in any order.
        options: of the converter; ``geometry`` and ``min_slices`` count.

    Raises:
        SourceError: the slices can't be one volume, or one of them can't be read.
    """
    stored_type(headers[0])  # what an image is counts before where it is
    resample, notes = options.geometry == "resample", dict[str, str]()
    if resample:
        headers, copies = drop_copies(headers)
        if copies:
            notes["copies"] = f"slices left out as copies of others: {copies}"
    stack = stack_slices(headers, options.min_slices)
    faults = find_faults(stack)
    if faults and not resample:
        refuse(faults)
    padding = _padding(stack.headers[0])
    if padding is not None:
        notes["padding"] = f"PixelPaddingValue, {padding:g} after rescaling, is kept"
    try:
        if not faults:
            return Volume(_image(read_values(stack.headers), even_grid(stack)), notes)
        resampler = Resampler.plan(stack)
        values = resampler.image(read_values(stack.headers), padding)
    except MemoryError as error:
        raise SourceError(
            f"there is not enough memory for {len(headers)} slices of {headers[0].columns} x "
            f"{headers[0].rows}",
            hint="convert with fewer workers",
        ) from error
    notes["geometry"] = f"{'; '.join(f.text for f in faults)}; {resampler}"
    return Volume(_image(values, resampler.grid), notes, resampler)


def _padding(header: Header) -> float | None:
    return None if header.padding is None else header.padding * header.slope + header.intercept


def _image(values: NDArray[Any], grid: Grid) -> sitk.Image:
    image: Any = sitk.GetImageFromArray(values)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    return cast(sitk.Image, image)
