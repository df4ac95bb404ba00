"""Writing NIfTI: fresh headers, equal bytes for equal images, whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import SimpleITK as sitk
from isal import igzip

from nnplug.data.files import replacing
from nnplug.errors import StorageError

COMPRESSION_LEVEL = 3


def write(image: sitk.Image, path: Path) -> None:
    """Write ``image`` to ``path`` (``.nii.gz``) without its metadata dictionary.

    Raises:
        StorageError: nothing can be written there.
    """
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    with replacing(path) as partial:
        plain = partial.with_suffix(".nii")
        try:
            _write_plain(image, plain, path)
            with plain.open("rb") as source, partial.open("wb") as sink:
                with igzip.IGzipFile(
                    filename="", mode="wb", compresslevel=COMPRESSION_LEVEL, fileobj=sink, mtime=0
                ) as packed:
                    shutil.copyfileobj(source, packed, 1 << 20)
                sink.flush()
                os.fsync(sink.fileno())
        finally:
            plain.unlink(missing_ok=True)


def _write_plain(image: sitk.Image, plain: Path, path: Path) -> None:
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(plain))
    writer.SetImageIO("NiftiImageIO")
    writer.SetUseCompression(False)
    needed = image.GetNumberOfPixels() * image.GetSizeOfPixelComponent()
    try:
        writer.Execute(image)
    except RuntimeError as error:
        free = shutil.disk_usage(plain.parent).free
        problem = "the disk is full" if free < needed else f"can't be written: {_last_line(error)}"
        raise StorageError(
            problem, where=str(path), hint="free some space and run this again"
        ) from error
    if plain.stat().st_size < needed:
        raise StorageError(
            "the disk is full", where=str(path), hint="free some space and run this again"
        )


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
