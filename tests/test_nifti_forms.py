"""Where the voxels of a NIfTI file lie, against nibabel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug.formats.itk import read_channels, read_image
from nnplug.formats.nifti import NiftiConverter
from nnplug.formats.options import NiftiOptions
from nnplug.types import CaseSource

VALUES = np.arange(6 * 7 * 8, dtype=np.int16).reshape(6, 7, 8)
SPACING = (0.7, 1.25, 3.0)


def turned(degrees: float, axis: int = 2, spacing: tuple[float, ...] = SPACING) -> NDArray[Any]:
    """An affine (RAS, mm): turned about an axis, moved, with the voxel size."""
    turn = np.radians(degrees)
    rotation = np.eye(3)
    others = [a for a in range(3) if a != axis]
    rotation[np.ix_(others, others)] = [
        [np.cos(turn), -np.sin(turn)],
        [np.sin(turn), np.cos(turn)],
    ]
    affine = np.eye(4)
    affine[:3, :3] = rotation * spacing
    affine[:3, 3] = -31.5, 12.25, 100
    return affine


def save(
    path: Path,
    sform: NDArray[Any] | None,
    qform: NDArray[Any] | None,
    *,
    zooms: tuple[float, ...] | None = None,
    units: str = "mm",
) -> Path:
    image = nib.Nifti1Image(VALUES, None)
    image.header.set_xyzt_units(units)
    image.header.set_qform(qform, 1 if qform is not None else 0)
    image.header.set_sform(sform, 2 if sform is not None else 0)
    if zooms:
        image.header["pixdim"][1:4] = zooms
    nib.save(image, path)
    return path


def affine_of(image: sitk.Image) -> NDArray[Any]:
    """Voxel indices to RAS in mm, by ITK's own arithmetic."""
    to_ras = np.array([-1.0, -1.0, 1.0])
    points = [image.TransformIndexToPhysicalPoint(i) for i in np.eye(3, dtype=int).tolist()]
    origin = to_ras * image.TransformIndexToPhysicalPoint((0, 0, 0))
    affine = np.eye(4)
    affine[:3, :3] = np.stack([to_ras * p - origin for p in points], axis=1)
    affine[:3, 3] = origin
    return affine


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("degrees", [0.0, 17.0, 90.0, 180.0, -135.0])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("coded", ["both", "sform", "qform"])
def test_the_grid_is_nibabels(
    tmp_path: Path, axis: int, degrees: float, mirrored: bool, coded: str
) -> None:
    affine = turned(degrees, axis)
    if mirrored:
        affine[:3, 0] *= -1
    sform, qform = (affine if coded in (form, "both") else None for form in ("sform", "qform"))
    path = save(tmp_path / "a.nii", sform, qform, zooms=SPACING)
    image = read_image(path)
    assert np.allclose(affine_of(image), nib.load(path).affine, atol=1e-4)
    assert np.allclose(image.GetSpacing(), SPACING)
    assert np.array_equal(sitk.GetArrayFromImage(image).transpose(2, 1, 0), VALUES)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (turned(10), "turned by 10 degrees"),
        (turned(0) + np.eye(4, k=3) * 2, "up to 2 mm apart"),
        (turned(0, spacing=(0.7, 1.25, 5.0)), "voxel sizes (0.7, 1.25, 5) and (0.7, 1.25, 3)"),
    ],
)
def test_forms_that_disagree_are_refused_or_chosen(
    tmp_path: Path, other: NDArray[Any], said: str
) -> None:
    path = save(tmp_path / "a.nii", turned(0), other)
    with pytest.raises(SourceError, match="qform and sform") as info:
        read_image(path)
    assert said in info.value.problem
    assert "converter.form=sform" in str(info.value.hint)
    loaded = nib.load(path)
    assert np.allclose(affine_of(read_image(path, "sform")), loaded.get_sform(), atol=1e-4)
    assert np.allclose(affine_of(read_image(path, "qform")), loaded.get_qform(), atol=1e-4)


def test_rounded_forms_agree(tmp_path: Path) -> None:
    affine = turned(17)
    image = read_image(save(tmp_path / "a.nii", np.round(affine, 4), affine))
    assert np.allclose(affine_of(image), affine, atol=1e-3)


def test_an_sform_that_contradicts_the_voxel_size(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", turned(0), None, zooms=(0.7, 1.25, 6.0))
    with pytest.raises(SourceError, match=r"\(0.7, 1.25, 3\) mm by the sform"):
        read_image(path)
    assert np.allclose(read_image(path, "sform").GetSpacing(), SPACING)


def test_a_sheared_sform_is_refused_unless_the_qform_is_chosen(tmp_path: Path) -> None:
    sheared = turned(0)
    sheared[0, 2] += 0.8
    path = save(tmp_path / "a.nii", sheared, turned(0))
    with pytest.raises(SourceError, match="qform and sform"):
        read_image(path)
    with pytest.raises(SourceError, match="right angles"):
        read_image(path, "sform")
    assert np.allclose(affine_of(read_image(path, "qform")), turned(0), atol=1e-4)


@pytest.mark.parametrize("form", ["sform", "qform"])
def test_a_form_that_is_not_there(tmp_path: Path, form: Any) -> None:
    forms = (None, turned(0)) if form == "sform" else (turned(0), None)
    with pytest.raises(SourceError, match=f"has no {form}"):
        read_image(save(tmp_path / "a.nii", *forms, zooms=SPACING), form)


@pytest.mark.parametrize("form", ["sform", "qform"])
@pytest.mark.parametrize("number", [np.nan, np.inf, 3e38])
def test_forms_that_place_no_voxel_do_not_spoil_the_other(
    tmp_path: Path, form: Any, number: float
) -> None:
    path = save(tmp_path / "a.nii", turned(0), turned(0))
    data = bytearray(path.read_bytes())
    place = {"sform": 280, "qform": 256}[form]
    data[place : place + 4] = np.array([number], "<f4").tobytes()
    path.write_bytes(data)
    other: Any = {"sform": "qform", "qform": "sform"}[form]
    for chosen in ("auto", form):
        with pytest.raises(SourceError, match=f"the {form} in the header"):
            read_image(path, chosen)
    assert np.allclose(affine_of(read_image(path, other)), turned(0), atol=1e-4)


def test_without_any_form_only_the_voxel_size_counts_and_it_is_said(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", None, None, zooms=SPACING)
    volumes = read_channels(path)
    (image,) = volumes.images
    assert "not in the file" in volumes.notes["orientation"]
    reference = sitk.ReadImage(str(path))
    assert np.allclose(image.GetSpacing(), reference.GetSpacing())
    assert image.GetOrigin() == reference.GetOrigin()
    assert image.GetDirection() == reference.GetDirection()


@pytest.mark.parametrize(("units", "factor"), [("meter", 1000.0), ("micron", 0.001)])
def test_other_units_become_mm_and_it_is_said(tmp_path: Path, units: str, factor: float) -> None:
    path = save(tmp_path / "a.nii", turned(17), turned(17), units=units)
    volumes = read_channels(path)
    assert np.allclose(volumes.images[0].GetSpacing(), np.array(SPACING) * factor)
    assert np.allclose(affine_of(volumes.images[0])[:3], nib.load(path).affine[:3] * factor)
    assert f"{factor:g} mm" in volumes.notes["unit"]


def test_the_converter_takes_the_chosen_form_and_keeps_what_was_said(tmp_path: Path) -> None:
    image = save(tmp_path / "p1.nii", turned(0), turned(10))
    label = save(tmp_path / "l.nii", None, None, zooms=SPACING)
    case = NiftiConverter(NiftiOptions("qform")).read(CaseSource("p1", (image,), label))
    assert np.allclose(affine_of(case.images[0]), nib.load(image).get_qform(), atol=1e-4)
    assert list(case.provenance) == ["label: orientation"]
    assert "p1" not in str(case.provenance)


def test_the_form_is_one_of_three() -> None:
    with pytest.raises(ValueError, match="form='q' is none of"):
        NiftiOptions(form="q")  # type: ignore[arg-type]
