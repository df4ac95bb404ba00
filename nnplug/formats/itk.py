"""Reading image files through SimpleITK, and refusing what it would read wrongly in silence."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from nnplug.errors import SourceError
from nnplug.formats._detached import Payload, find_payload
from nnplug.formats._nifti_header import GZIP_RATIO, MAX_VOXELS, check_nifti
from nnplug.types import Case, CaseSource

if TYPE_CHECKING:
    import SimpleITK as sitk

__all__ = ["data_file", "read_case", "read_image"]

DIRECTION_TOLERANCE = 1e-3
_IMAGE_IO = {
    ".nii": "NiftiImageIO",
    ".nii.gz": "NiftiImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
}


def read_image(path: Path) -> sitk.Image:
    """Read a NIfTI, MetaImage or NRRD file as a three-dimensional scalar image.

    The voxel type is kept (NIfTI's slope and intercept are applied, which gives floats). A
    fourth axis of size 1 is dropped. A two-dimensional image becomes a volume of one slice with
    a z spacing of 1 mm, z origin 0 and z along the third axis. The metadata dictionary is empty.

    Args:
        path: a ``.nii``, ``.nii.gz``, ``.mha``, ``.mhd``, ``.nrrd`` or ``.nhdr`` file.

    Returns:
        The image; size x, y, z, spacing and origin in mm (LPS), direction as in the file.

    Raises:
        SourceError: the file is missing, empty, cut short, damaged, of another format or too
            large; has several values a voxel, complex values or more than three dimensions; its
            axes are not at right angles; or its voxels lie in a file outside of its folder.
    """
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    io = _image_io(path)
    try:
        if not path.is_file():
            raise SourceError("there is no such file", where=str(path))
        if path.stat().st_size == 0:
            raise SourceError(
                "the file is empty", where=str(path), hint="copy or export the file again"
            )
        if io == "NiftiImageIO":
            check_nifti(path)
            payload = None
        else:
            payload = find_payload(path)
    except OSError as error:
        raise SourceError(f"can't be read: {error.strerror}", where=str(path)) from error
    reader = sitk.ImageFileReader()
    reader.SetImageIO(io)
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_information(reader, path, payload)
        image = reader.Execute()
    except (RuntimeError, MemoryError) as error:
        raise _explained(error, path) from error
    image = _volume(image)
    _check_geometry(image, path)
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    return image


def read_case(case: CaseSource) -> Case:
    """Read the images and the label of a case with :func:`read_image`.

    Raises:
        SourceError: a file can't be read, or the case carries a problem from its discovery.
    """
    if "problem" in case.details:
        raise SourceError(str(case.details["problem"]), where=case.name)
    images = tuple(read_image(path) for path in case.images)
    return Case(images=images, label=read_image(case.label) if case.label else None)


def data_file(path: Path) -> Path:
    """Return the file that holds the voxels of ``path``: another one for ``.mhd`` and ``.nhdr``.

    Raises:
        SourceError: the header names none, several, or one that is missing or lies elsewhere
            than in the header's folder or below it.
    """
    return path if _image_io(path) == "NiftiImageIO" else find_payload(path).path


def _image_io(path: Path) -> str:
    name = path.name.lower()
    for ending, io in _IMAGE_IO.items():
        if name.endswith(ending):
            return io
    raise SourceError(
        "files of this ending can't be read here",
        where=str(path),
        hint=f"known endings are {' '.join(_IMAGE_IO)}",
    )


def _check_information(reader: sitk.ImageFileReader, path: Path, payload: Payload | None) -> None:
    import SimpleITK as sitk

    sizes = reader.GetSize()
    size = " x ".join(str(n) for n in sizes)
    kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    if "complex" in kind:
        raise SourceError(
            "the voxels are complex numbers", where=str(path), hint="write the magnitude image"
        )
    if reader.GetNumberOfComponents() != 1:
        raise SourceError(
            f"every voxel has {reader.GetNumberOfComponents()} values ({kind}), not one",
            where=str(path),
            hint="write one file a channel (_0000, _0001, ...); a segmentation in layers has "
            "to be exported as one label map",
        )
    if len(sizes) < 2 or any(n > 1 for n in sizes[3:]):
        raise SourceError(
            f"the image has {len(sizes)} dimensions ({size}), not 3",
            where=str(path),
            hint="write one three-dimensional file a time point or channel (_0000, _0001, ...)",
        )
    voxels = math.prod(sizes)
    if not 0 < voxels <= MAX_VOXELS:
        raise SourceError(
            f"the header claims {size} voxels",
            where=str(path),
            hint="the header is probably damaged; export the image again",
        )
    if payload:
        needed = voxels * _bytes(reader.GetPixelID())
        held = payload.path.stat().st_size
        if held * payload.ratio < needed:
            raise SourceError(
                f"{payload.path.name} is cut short: the header ({size} voxels) needs {needed} "
                f"bytes, the file has {held}" + (" (compressed)" * (payload.ratio == GZIP_RATIO)),
                where=str(path),
                hint="copy or export the file again",
            )


def _bytes(pixel_id: int) -> int:
    import SimpleITK as sitk

    return int(sitk.Image([1, 1], pixel_id).GetSizeOfPixelComponent())


def _volume(image: sitk.Image) -> sitk.Image:
    import SimpleITK as sitk

    if image.GetDimension() == 2:
        slice_of_one: sitk.Image = sitk.JoinSeries([image])
        return slice_of_one
    if image.GetDimension() == 3:
        return image
    extract = sitk.ExtractImageFilter()
    extract.SetDirectionCollapseToStrategy(extract.DIRECTIONCOLLAPSETOSUBMATRIX)
    extract.SetSize([*image.GetSize()[:3], *([0] * (image.GetDimension() - 3))])
    volume: sitk.Image = extract.Execute(image)
    return volume


def _check_geometry(image: sitk.Image, path: Path) -> None:
    if not all(math.isfinite(s) and s > 0 for s in image.GetSpacing()):
        raise SourceError(
            f"the spacing {image.GetSpacing()} mm is not positive",
            where=str(path),
            hint="write the true voxel size into the header; it is never guessed",
        )
    if not all(math.isfinite(v) for v in image.GetOrigin()):
        raise SourceError(
            f"the origin {image.GetOrigin()} is not finite",
            where=str(path),
            hint="export the image again",
        )
    d = image.GetDirection()
    products = (
        abs(sum(d[3 * k + i] * d[3 * k + j] for k in range(3)) - (i == j))
        for i in range(3)
        for j in range(3)
    )
    if not all(p <= DIRECTION_TOLERANCE for p in products):
        raise _sheared(path)


def _explained(error: Exception, path: Path) -> SourceError:
    text = str(error)
    if "orthonormal" in text or "determinant is 0" in text:
        return _sheared(path)
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


def _sheared(path: Path) -> SourceError:
    return SourceError(
        "the image's axes are not at right angles (direction is not orthonormal)",
        where=str(path),
        hint="resample the image to a grid without shear, e.g. correct the gantry tilt; if only "
        "rounding is to blame, write a clean sform and qform",
    )
