"""Reading MetaImage and NRRD files through SimpleITK."""

from __future__ import annotations

import math
from pathlib import Path

import SimpleITK as sitk

from nnplug.errors import SourceError
from nnplug.formats import _meta, nrrd
from nnplug.formats._detached import Payload, find_payload
from nnplug.formats._volumes import (
    GZIP_RATIO,
    Outline,
    Volumes,
    check_count,
    check_geometry,
    sheared,
    times,
)


def read(path: Path) -> Volumes:
    """Read every volume of a ``.mha``, ``.mhd``, ``.nrrd`` or ``.nhdr`` file.

    Raises:
        SourceError: see :func:`nnplug.formats.itk.read_channels`.
    """
    payload, notes = _check_header(path)
    reader = _reader(path)
    try:
        reader.ReadImageInformation()
        _check_information(reader, payload, path)
        image = reader.Execute()
    except (RuntimeError, MemoryError) as error:
        raise _explained(error, path) from error
    count = image.GetNumberOfComponentsPerPixel()
    parts = [sitk.VectorIndexSelectionCast(image, i) for i in range(count)] if count > 1 else None
    images = [volume for part in parts or [image] for volume in _volumes(part)]
    for volume in images:
        check_geometry(volume, path)
        _strip(volume, path)
    layout = (
        f"every voxel has {count} values, not one"
        if count > 1
        else f"the image has {image.GetDimension()} dimensions ({times(image.GetSize())}), not 3"
    )
    return Volumes(tuple(images), layout, notes)


def outline(path: Path) -> Outline:
    """Read size and spacing from the header alone."""
    payload, _ = _check_header(path)
    reader = _reader(path)
    try:
        reader.ReadImageInformation()
        _check_information(reader, payload, path)
    except RuntimeError as error:
        raise _explained(error, path) from error
    sizes, spacing = reader.GetSize(), reader.GetSpacing()
    volumes = reader.GetNumberOfComponents() * math.prod(sizes[3:])
    return Outline((*sizes, 1)[:3], (*spacing, 1.0)[:3], volumes)


def _reader(path: Path) -> sitk.ImageFileReader:
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("MetaImageIO" if _is_meta(path) else "NrrdImageIO")
    reader.SetFileName(str(path))
    return reader


def _is_meta(path: Path) -> bool:
    return path.name.lower().endswith((".mha", ".mhd"))


def _check_header(path: Path) -> tuple[Payload, dict[str, str]]:
    """Look at the header before ITK does, which would open any file that it names."""
    payload = find_payload(path)
    if _is_meta(path):
        return payload, _meta.check_header(_meta.read_header(path), path)
    return payload, nrrd.check_header(nrrd.read_header(path))


def _check_information(reader: sitk.ImageFileReader, payload: Payload, path: Path) -> None:
    sizes = reader.GetSize()
    kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    if "complex" in kind:
        raise SourceError(
            "the voxels are complex numbers", where=str(path), hint="write the magnitude image"
        )
    if len(sizes) < 2:
        raise SourceError(
            f"the image has {len(sizes)} dimensions ({times(sizes)}), not 3",
            where=str(path),
            hint="write it as a three-dimensional image",
        )
    values = (*sizes, reader.GetNumberOfComponents())
    check_count(values, path)
    needed = math.prod(values) * sitk.Image([1, 1], reader.GetPixelID()).GetSizeOfPixelComponent()
    held = payload.path.stat().st_size
    if held * payload.ratio < needed:
        raise SourceError(
            f"{payload.path.name} is cut short: the header ({times(sizes)} voxels) needs {needed} "
            f"bytes, the file has {held}" + (" (compressed)" * (payload.ratio == GZIP_RATIO)),
            where=str(path),
            hint="copy or export the file again",
        )


def _volumes(image: sitk.Image) -> list[sitk.Image]:
    """The volumes of a scalar image: a plane is one slice, further axes are told apart."""
    if image.GetDimension() == 2:
        return [sitk.JoinSeries([image])]
    if image.GetDimension() == 3:
        return [image]
    extract = sitk.ExtractImageFilter()
    extract.SetDirectionCollapseToStrategy(extract.DIRECTIONCOLLAPSETOSUBMATRIX)
    extract.SetSize([*image.GetSize()[:-1], 0])
    found: list[sitk.Image] = []
    for index in range(image.GetSize()[-1]):
        extract.SetIndex([*[0] * (image.GetDimension() - 1), index])
        found += _volumes(extract.Execute(image))
    return found


def _strip(image: sitk.Image, path: Path) -> None:
    """Erase the metadata dictionary."""
    try:
        for key in image.GetMetaDataKeys():
            image.EraseMetaData(key)
    except TypeError as error:
        raise SourceError(
            "the header has keys that are no text", where=str(path), hint="export the image again"
        ) from error


def _explained(error: Exception, path: Path) -> SourceError:
    text = str(error)
    if "orthonormal" in text or "determinant is 0" in text:
        return sheared(path)
    if "allocate memory" in text or isinstance(error, MemoryError):
        return SourceError(
            "there is not enough memory for the image",
            where=str(path),
            hint="convert with fewer workers, or crop the image",
        )
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "no reason given")
    return SourceError(
        f"the file can't be read ({last.strip()[:200]})",
        where=str(path),
        hint="it is probably damaged or of another format than its name says; export it again",
    )
