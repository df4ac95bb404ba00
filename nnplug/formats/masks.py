"""Labels that are folders with one mask a region, such as TotalSegmentator writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nnplug.errors import SourceError
from nnplug.formats.itk import ENDINGS, outline, read_case, read_image
from nnplug.layout.scan import entries, listed
from nnplug.rois import RoiOptions, choose, paint
from nnplug.types import Case, CaseSource, Found

if TYPE_CHECKING:
    import numpy as np
    import SimpleITK as sitk
    from numpy.typing import NDArray

    from nnplug.formats._nifti_grid import Form

SAME_GRID = 1e-3  # of a voxel, for each corner


def mask_files(folder: Path) -> dict[str, Path]:
    """The masks in a folder, by their names without the ending; in natural order."""
    found: dict[str, Path] = {}
    for path in entries(folder):
        ending = next((e for e in ENDINGS if path.name.lower().endswith(e)), "")
        if ending and path.is_file():
            found[path.name[: -len(ending)]] = path
    return found


def named_labels(root: Path, found: Iterable[Found]) -> dict[str, int]:
    """Labels after the masks in those of the labels that are folders; empty without any."""
    names: dict[str, None] = {}
    for label in found:
        if label.kind == "label" and label.use and (root / label.path).is_dir():
            names |= dict.fromkeys(mask_files(root / label.path))
    return {"background": 0, **{name: n for n, name in enumerate(names, 1)}} if names else {}


def outline_of(path: Path) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Size (x, y, z) and spacing (mm) of a file, or of the first mask in a folder."""
    header = outline(next(iter(mask_files(path).values()), path) if path.is_dir() else path)
    return header.size, header.spacing


def knows_labels(case: CaseSource, labels: Mapping[str, int]) -> CaseSource:
    """Give a case whose label is a folder what :func:`read_with_masks` needs."""
    if case.label is None or not case.label.is_dir():
        return case
    return replace(case, details={**case.details, "labels": dict(labels)})


def read_with_masks(case: CaseSource, options: RoiOptions, form: Form = "auto") -> Case:
    """Read a case whose label is a file, or a folder with one mask a region.

    A mask is 0 outside of its region and has one other value inside. An empty mask is a region
    that the case lacks, and is noted.

    Raises:
        SourceError: see :func:`nnplug.formats.itk.read_case`; ``options.rois`` names regions
            of a file; masks lie on different grids or hold several values; or
            :func:`nnplug.rois.choose` or :func:`nnplug.rois.paint` refuses.
    """
    if case.label is None or not case.label.is_dir() or "problem" in case.details:
        if case.label is not None and options.rois:
            raise SourceError(
                "the file has no regions with names",
                where=str(case.label),
                hint="leave out converter.labels.rois; change values with remap",
            )
        return read_case(case, form)
    read = read_case(replace(case, label=None), form)
    label, notes = read_masks(case.label, case.details["labels"], options, form)
    return replace(read, label=label, provenance={**read.provenance, **notes})


def read_masks(
    folder: Path, labels: Mapping[str, int], options: RoiOptions, form: Form = "auto"
) -> tuple[sitk.Image, dict[str, str]]:
    """Read the masks in a folder as one label.

    Args:
        folder: it holds masks directly.
        labels: label name to value of the dataset.
        options: which masks are which label.
        form: see :func:`nnplug.formats.itk.read_channels`.

    Returns:
        The label (uint8) on the grid of the masks, and notes for the manifest.

    Raises:
        SourceError: as :func:`read_with_masks`.
    """
    try:
        return _read_masks(folder, labels, options, form)
    except SourceError as error:
        raise SourceError(
            error.problem, where=error.where or str(folder), hint=error.hint
        ) from error


def _read_masks(
    folder: Path, labels: Mapping[str, int], options: RoiOptions, form: Form
) -> tuple[sitk.Image, dict[str, str]]:
    import SimpleITK as sitk

    files = mask_files(folder)
    paths = list(files.values())
    chosen = choose(list(files), labels, options)
    used = [i for indices in chosen.values() for i in indices]
    first = paths[used[0] if used else 0]
    grid = read_image(first, form)
    empty: list[str] = []

    def region(index: int) -> NDArray[np.bool_]:
        path = paths[index]
        return _region(grid if path == first else read_image(path, form), grid, path)

    def masks() -> Iterator[tuple[str, NDArray[np.bool_]]]:
        for label, indices in chosen.items():
            mask = region(indices[0])
            for index in indices[1:]:
                mask |= region(index)
            if mask.any():
                yield label, mask
            else:
                empty.append(label)

    values, notes = paint(grid.GetSize()[::-1], masks(), labels, options)
    if empty:
        notes["empty masks"] = listed(empty)
    label = sitk.GetImageFromArray(values)
    label.CopyInformation(grid)
    return label, notes


def _region(image: sitk.Image, grid: sitk.Image, path: Path) -> NDArray[np.bool_]:
    import numpy as np
    import SimpleITK as sitk

    if not _same_grid(image, grid):
        raise SourceError(
            "this mask lies on another grid than the first one",
            where=str(path),
            hint="resample the masks of a case onto one grid",
        )
    values = sitk.GetArrayViewFromImage(image)
    mask: NDArray[np.bool_] = values != 0
    inside = values[mask]
    if inside.size and inside.min() != inside.max():
        found = [f"{value:g}" for value in np.unique(inside).tolist()]
        raise SourceError(
            f"a mask has one value inside, this one has {listed(found)}",
            where=str(path),
            hint="a label with several values is one file, not a folder",
        )
    return mask


def _same_grid(one: sitk.Image, other: sitk.Image) -> bool:
    if one.GetSize() != other.GetSize():
        return False
    corners = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    for corner in corners:
        index = [float(c * (n - 1)) for c, n in zip(corner, one.GetSize(), strict=True)]
        place = one.TransformContinuousIndexToPhysicalPoint(index)
        back = other.TransformPhysicalPointToContinuousIndex(place)
        if max(abs(a - b) for a, b in zip(index, back, strict=True)) > SAME_GRID:
            return False
    return True
