"""Reading NIfTI, MetaImage and NRRD files as SimpleITK images, and nothing in silence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nnplug.errors import SourceError
from nnplug.formats._volumes import Outline, Volumes
from nnplug.types import Case, CaseSource

if TYPE_CHECKING:
    import SimpleITK as sitk

    from nnplug.formats._nifti_grid import Form

__all__ = [
    "ENDINGS",
    "Outline",
    "Volumes",
    "data_file",
    "outline",
    "read_case",
    "read_channels",
    "read_image",
    "with_data_files",
]

_NIFTI = (".nii", ".nii.gz", ".hdr")
_THROUGH_ITK = (".mha", ".mhd", ".nrrd", ".nhdr")
ENDINGS = _NIFTI + _THROUGH_ITK


def read_image(path: Path, form: Form = "auto") -> sitk.Image:
    """Read a NIfTI, MetaImage or NRRD file as a three-dimensional scalar image.

    As :func:`read_channels`, for a file that holds one volume.

    Raises:
        SourceError: also where the file holds several volumes.
    """
    return _only(read_channels(path, form), path)


def read_channels(path: Path, form: Form = "auto") -> Volumes:
    """Read a file with one or several values a voxel, or volumes along a further axis.

    The voxel type is kept. NIfTI's slope and intercept are applied, which gives integers where
    both are whole numbers and the voxels are integers, else floats. A two-dimensional image
    becomes a volume of one slice; where the file gives no third voxel size it is 1 mm. The
    metadata dictionary is empty.

    Args:
        path: a ``.nii``, ``.nii.gz``, ``.hdr`` (with its ``.img``), ``.mha``, ``.mhd``,
            ``.nrrd`` or ``.nhdr`` file.
        form: which of a NIfTI file's two grids counts: ``auto`` (both, and they have to agree),
            ``sform`` or ``qform``.

    Returns:
        Images with size x, y, z, spacing and origin in mm (LPS), and notes for the manifest.

    Raises:
        SourceError: the file is missing, empty, cut short, damaged, of another format or too
            large; holds colours, vectors or complex values, or NIfTI floats that are not finite;
            its axes are not at right angles, its forms disagree, its lengths are in no known
            unit; or its voxels lie in a file outside of its folder.
    """
    with _there(path):
        if _is_nifti(path):
            from nnplug.formats import _nifti

            return _nifti.read(path, form)
        from nnplug.formats import _through_itk

        return _through_itk.read(path)


def outline(path: Path) -> Outline:
    """Read size, spacing and the number of volumes from the header alone.

    Raises:
        SourceError: the header can't be used.
    """
    with _there(path):
        if _is_nifti(path):
            from nnplug.formats import _nifti

            return _nifti.outline(path)
        from nnplug.formats import _through_itk

        return _through_itk.outline(path)


def read_case(case: CaseSource, form: Form = "auto") -> Case:
    """Read the images and the label of a case with :func:`read_image`.

    Where ``case.details["volumes"]`` names a number, the case's only image file holds that many
    channels.

    Raises:
        SourceError: a file can't be read, or the case carries a problem from its discovery.
    """
    if "problem" in case.details:
        raise SourceError(str(case.details["problem"]), where=case.name)
    wanted = case.details.get("volumes", 1)
    notes: dict[str, str] = {}
    images: list[sitk.Image] = []
    for path in case.images:
        read = read_channels(path, form)
        notes |= {f"channel {len(images)}: {key}": text for key, text in read.notes.items()}
        images += read.images if wanted > 1 else [_only(read, path)]
    if wanted > 1 and len(images) != wanted:
        raise SourceError(
            f"the file holds {len(images)} volumes, the dataset has {wanted} channels",
            where=str(case.images[0]),
            hint="name every volume in dataset.channels, in their order",
        )
    if case.label is None:
        return Case(images=tuple(images), provenance=notes)
    read = read_channels(case.label, form)
    notes |= {f"label: {key}": text for key, text in read.notes.items()}
    return Case(images=tuple(images), label=_only(read, case.label), provenance=notes)


def data_file(path: Path) -> Path:
    """Return the file that holds the voxels of ``path``; another one for detached headers.

    Raises:
        SourceError: the header names none, several, or one that is missing or lies elsewhere
            than in the header's folder or below it.
    """
    if _is_nifti(path):
        from nnplug.formats._nifti import voxel_file

        return voxel_file(path)
    from nnplug.formats._detached import find_payload

    return find_payload(path).path


def with_data_files(case: CaseSource) -> CaseSource:
    """Add the data files that a case's headers name (``.raw``, ``.img``) to its ``files``."""
    files = []
    for path in (*case.images, *([case.label] if case.label else [])):
        try:
            data = data_file(path)
        except (SourceError, OSError):
            continue  # said with the same words when the case is read
        if data != path:
            files.append(data)
    return replace(case, details={**case.details, "files": tuple(files)}) if files else case


def _only(found: Volumes, path: Path) -> sitk.Image:
    if len(found.images) == 1:
        return found.images[0]
    inside = "name every volume in dataset.channels, or " if _is_nifti(path) else ""
    raise SourceError(
        found.layout,
        where=str(path),
        hint=f"{inside}write one three-dimensional file a channel (_0000, _0001, ...)",
    )


def _is_nifti(path: Path) -> bool:
    if path.name.lower().endswith(_NIFTI):
        return True
    if path.name.lower().endswith(_THROUGH_ITK):
        return False
    raise SourceError(
        "files of this ending can't be read here",
        where=str(path),
        hint=f"known endings are {' '.join(ENDINGS)}",
    )


@contextmanager
def _there(path: Path) -> Iterator[None]:
    """Read a file that has to be there; what the system refuses becomes a SourceError."""
    try:
        if not path.is_file():
            raise SourceError("there is no such file", where=str(path))
        if path.stat().st_size == 0:
            raise SourceError(
                "the file is empty", where=str(path), hint="copy or export the file again"
            )
        yield
    except OSError as error:
        raise SourceError(f"can't be read: {error.strerror}", where=str(path)) from error
    except MemoryError as error:
        raise SourceError(
            "there is not enough memory for the image",
            where=str(path),
            hint="convert with fewer workers, or crop the image",
        ) from error
