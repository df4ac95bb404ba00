"""Writing NIfTI: fresh headers, equal bytes for equal images, whole or not at all."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from isal import igzip

from nnplug.data.files import CHUNK
from nnplug.errors import StorageError
from nnplug.whole import replacing

COMPRESSION_LEVEL = 3
HEADER_BYTES = 352
LARGEST_DIMENSION = 32767
_DIMENSIONS_AT = 42


def write(image: sitk.Image, path: Path) -> None:
    """Write a three-dimensional ``image`` to ``path`` (``.nii.gz``), without any metadata.

    Raises:
        StorageError: nothing can be written there, or the image is larger than NIfTI allows.
    """
    with replacing(path) as partial:
        header = _header(image, partial.with_suffix(".nii"), path)
        voxels = np.ravel(sitk.GetArrayViewFromImage(image)).view(np.uint8)
        with (
            partial.open("wb") as sink,
            igzip.IGzipFile(
                filename="", mode="wb", compresslevel=COMPRESSION_LEVEL, fileobj=sink, mtime=0
            ) as packed,
        ):
            packed.write(header)
            for start in range(0, voxels.size, CHUNK):
                packed.write(voxels[start : start + CHUNK])


def _header(image: sitk.Image, plain: Path, path: Path) -> bytes:
    """The header that ITK writes for the image.

    ITK writes headers with their voxels only. So it is given a single voxel at the same place,
    and the numbers of voxels along x, y and z are put in afterwards.
    """
    if max(image.GetSize()) > LARGEST_DIMENSION:
        raise StorageError(
            f"{max(image.GetSize())} voxels along an axis are more than the {LARGEST_DIMENSION} "
            "of NIfTI-1",
            where=str(path),
            hint="cut the image into parts",
        )
    voxel = sitk.Image([1, 1, 1], image.GetPixelID())
    voxel.SetSpacing(image.GetSpacing())
    voxel.SetOrigin(image.GetOrigin())
    voxel.SetDirection(image.GetDirection())
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(plain))
    writer.SetImageIO("NiftiImageIO")
    problem, header = "the disk is full", bytearray()
    try:
        writer.Execute(voxel)
        header += plain.read_bytes()[:HEADER_BYTES]
    except RuntimeError as error:
        if shutil.disk_usage(path.parent).free >= HEADER_BYTES:
            problem = f"can't be written: {str(error).strip().splitlines()[-1]}"
    finally:
        plain.unlink(missing_ok=True)
    if len(header) < HEADER_BYTES:
        raise StorageError(problem, where=str(path), hint="free some space and run this again")
    struct.pack_into("<3h", header, _DIMENSIONS_AT, *image.GetSize())
    return bytes(header)
