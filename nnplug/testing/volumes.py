"""Made-up cases on grids that give mistakes away, and how to write them in the usual formats.

No two axes are alike in size, spacing or content, no corner is like another, and the origin is
none of the obvious ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnplug.types import Case

if TYPE_CHECKING:
    import SimpleITK as sitk

SIZE = (9, 7, 5)
SPACING = (0.75, 1.25, 2.5)
ORIGIN = (-31.5, 12.25, 107.0)
STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def oblique(degrees: float = 17.0) -> tuple[float, ...]:
    """A direction (row by row) turned about x and then about z, in LPS."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (c, -s * c, s * s, s, c * c, -c * s, 0.0, s, c)


def image(values: Any, direction: tuple[float, ...] = STRAIGHT) -> sitk.Image:
    """An image of an array (z, y, x) on the grid of this module."""
    import SimpleITK as sitk

    made = sitk.GetImageFromArray(values)
    made.SetSpacing(SPACING)
    made.SetOrigin(ORIGIN)
    made.SetDirection(direction)
    return made


def cases(
    names: tuple[str, ...] = ("case_a", "case_b"),
    *,
    channels: int = 1,
    direction: tuple[float, ...] = STRAIGHT,
    dtype: str = "int16",
    labelled: bool = True,
) -> dict[str, Case]:
    """Cases by name; images use the range of ``dtype``, labels are 0, 1 and 2."""
    import numpy as np

    kind = np.dtype(dtype)
    low, step = {"f": (-100.0, 1.25), "i": (-100, 1)}.get(kind.kind, (0, 1))
    if kind.itemsize > 1 and kind.kind == "u":
        step = 257

    x, y, z = SIZE
    base = np.arange(x * y * z).reshape(z, y, x)
    made = {}
    for number, name in enumerate(names):
        label = np.zeros((z, y, x), np.uint8)
        label[1:4, 1:4, 2 + number : 7 + number] = 1
        label[2, 2, 3:6] = 2
        counts = [(base // (channel + 1) + number) % 251 for channel in range(channels)]
        images = [low + step * count for count in counts]
        made[name] = Case(
            images=tuple(image(values.astype(dtype), direction) for values in images),
            label=image(label, direction) if labelled else None,
        )
    return made


def write_files(folder: Path, truth: Mapping[str, Case], suffix: str = ".nii.gz") -> None:
    """Write ``images/NAME_0000.nii.gz`` and ``labels/NAME.nii.gz``; any suffix that ITK writes."""
    import SimpleITK as sitk

    for name, case in truth.items():
        files = {f"images/{name}_{number:04d}": one for number, one in enumerate(case.images)}
        if case.label is not None:
            files[f"labels/{name}"] = case.label
        for path, one in files.items():
            target = folder / f"{path}{suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(one, str(target))


def write_stacks(folder: Path, truth: Mapping[str, Case]) -> None:
    """Write ``images/NAME/slice_01.png`` and ``labels/NAME/slice_01.png``, one file a slice."""
    import SimpleITK as sitk

    for name, case in truth.items():
        for kind, one in (("images", case.images[0]), ("labels", case.label)):
            if one is None:
                continue
            (folder / kind / name).mkdir(parents=True, exist_ok=True)
            for index in range(one.GetDepth()):
                target = folder / kind / name / f"slice_{index + 1:02d}.png"
                sitk.WriteImage(one[:, :, index], str(target))


def write_series(folder: Path, truth: Mapping[str, Case]) -> None:
    """Write ``images/NAME/*.dcm``, one CT slice a file, and ``labels/NAME.nii.gz``.

    Needs pydicom.
    """
    import numpy as np
    import pydicom
    import SimpleITK as sitk

    for name, case in truth.items():
        one = case.images[0]
        values = sitk.GetArrayFromImage(one).astype(np.int16)
        axes = np.reshape(one.GetDirection(), (3, 3))
        (folder / "images" / name).mkdir(parents=True, exist_ok=True)
        shared = {key: pydicom.uid.generate_uid() for key in ("Study", "Series")}
        for index, page in enumerate(values):
            data = pydicom.Dataset()
            data.file_meta = pydicom.dataset.FileMetaDataset()
            data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
            data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
            uid = pydicom.uid.generate_uid()
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = uid
            data.StudyInstanceUID, data.SeriesInstanceUID = shared["Study"], shared["Series"]
            data.Modality, data.PatientID, data.InstanceNumber = "CT", name, index + 1
            position = one.TransformIndexToPhysicalPoint((0, 0, index))
            data.ImagePositionPatient = [f"{value:.9f}" for value in position]
            data.ImageOrientationPatient = [f"{v:.9f}" for v in axes[:, :2].T.ravel()]
            data.PixelSpacing = [str(SPACING[1]), str(SPACING[0])]
            data.SliceThickness = str(SPACING[2])
            data.Rows, data.Columns = page.shape
            data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
            data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
            data.PixelRepresentation = 1
            data.RescaleIntercept, data.RescaleSlope = "0", "1"
            data.PixelData = page.astype("<i2").tobytes()
            data.save_as(folder / "images" / name / f"{index:03d}.dcm", enforce_file_format=True)
        if case.label is not None:
            (folder / "labels").mkdir(exist_ok=True)
            sitk.WriteImage(case.label, str(folder / "labels" / f"{name}.nii.gz"))
