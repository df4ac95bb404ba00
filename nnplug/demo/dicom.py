"""The phantom as DICOM: a cohort of CT series with NIfTI labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nnplug.demo.phantom import Phantom, make_phantom
from nnplug.errors import PluginError, StorageError

_CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_INTERCEPT = -1024


def write_cohort(folder: Path, cases: int = 14, seed: int = 0) -> None:
    """Write ``images/lung_NN/*.dcm`` and ``labels/lung_NN.nii.gz`` below ``folder``.

    Each case is one CT series (12-bit stored values, RescaleIntercept -1024) of the made-up
    patient ``PHANTOMNN``; its label lies on the same grid. Equal arguments give equal files.

    Args:
        folder: made if it does not exist.
        cases: how many cases, numbered from 1.
        seed: of all random variation.

    Raises:
        PluginError: pydicom is not installed.
        StorageError: there are images or labels in ``folder``, or it can't be written.
        ValueError: ``cases`` is not between 1 and 99.
    """
    if not 1 <= cases <= 99:
        raise ValueError(f"cases is {cases}; it must be from 1 to 99")
    _pydicom()
    for name in ("images", "labels"):
        if (folder / name).exists():
            raise StorageError(
                "there is data already",
                where=str(folder / name),
                hint="name a new folder, or remove this one",
            )
    try:
        (folder / "labels").mkdir(parents=True)
        for case in range(1, cases + 1):
            phantom = make_phantom(seed, case)
            series = folder / "images" / f"lung_{case:02d}"
            series.mkdir(parents=True)
            _write_series(phantom, series, f"PHANTOM{case:02d}", f"{seed}.{case}")
            _write_label(phantom, folder / "labels" / f"lung_{case:02d}.nii.gz")
    except OSError as error:
        raise StorageError(
            f"the cohort can't be written: {error.strerror}", where=str(folder)
        ) from error


def _pydicom() -> Any:
    try:
        import pydicom
    except ImportError as error:
        raise PluginError(
            "writing the demo cohort needs pydicom", hint="pip install nnplug[dicom]"
        ) from error
    return pydicom


def _write_series(phantom: Phantom, folder: Path, patient: str, entropy: str) -> None:
    data = _common(phantom, patient, entropy)
    origin, normal = np.array(phantom.origin), phantom.direction[:, 2]
    count = len(phantom.hu)
    for number, index in enumerate(reversed(range(count)), start=1):
        position = origin + normal * (phantom.spacing[2] * index)
        uid = _uid(entropy, f"image {number}")
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = uid
        data.InstanceNumber = number
        data.ImagePositionPatient = [f"{v:.8f}" for v in position]
        stored = phantom.hu[index].astype(np.int32) - _INTERCEPT
        data.PixelData = stored.astype("<u2").tobytes()
        data.save_as(folder / f"IM{number:04d}.dcm", enforce_file_format=True)


def _common(phantom: Phantom, patient: str, entropy: str) -> Any:
    pydicom = _pydicom()
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = _CT_IMAGE_STORAGE
    meta.TransferSyntaxUID = _EXPLICIT_LITTLE
    data = pydicom.dataset.Dataset()
    data.file_meta = meta
    data.SOPClassUID = _CT_IMAGE_STORAGE
    data.StudyInstanceUID = _uid(entropy, "study")
    data.SeriesInstanceUID = _uid(entropy, "series")
    data.FrameOfReferenceUID = _uid(entropy, "frame of reference")
    data.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    data.Modality = "CT"
    data.SeriesDescription = "lung phantom"
    data.SeriesNumber = 1
    data.PatientName = data.PatientID = patient
    data.PatientPosition = "HFS"
    data.ImageOrientationPatient = [f"{v:.10f}" for v in phantom.direction[:, :2].T.ravel()]
    data.PixelSpacing = [f"{phantom.spacing[1]:g}", f"{phantom.spacing[0]:g}"]
    data.SliceThickness = f"{phantom.spacing[2]:g}"
    _, data.Rows, data.Columns = phantom.hu.shape
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.PixelRepresentation = 0
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = str(_INTERCEPT), "1", "HU"
    return data


def _uid(entropy: str, what: str) -> Any:
    return _pydicom().uid.generate_uid(entropy_srcs=["nnplug phantom", entropy, what])


def _write_label(phantom: Phantom, path: Path) -> None:
    import SimpleITK as sitk

    image: Any = sitk.GetImageFromArray(phantom.labels)
    image.SetSpacing(phantom.spacing)
    image.SetOrigin(phantom.origin)
    image.SetDirection(phantom.direction.ravel().tolist())
    sitk.WriteImage(image, path)
