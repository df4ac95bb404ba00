"""Channels on different grids: refused, turned, or brought onto the reference's grid."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import map_coordinates

from nnplug.catalog import Catalog
from nnplug.config.settings import Convert, DataSettings
from nnplug.data import alignment
from nnplug.errors import SourceError
from nnplug.stages import convert

Make = Callable[..., DataSettings]
NAMES = {0: "CT", 1: "PET"}


def plane(size: tuple[int, int, int], spacing: Any, origin: Any, angle: float = 0) -> sitk.Image:
    """An image whose value at each place is 2x - 3y + 0.5z + 7, so that linear is exact."""
    image = sitk.Image(size, sitk.sitkFloat32)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(sitk.Euler3DTransform((0, 0, 0), 0, 0, angle).GetMatrix())
    points = np.array(
        [image.TransformIndexToPhysicalPoint((x, y, z)) for z, y, x in np.ndindex(*size[::-1])]
    )
    values = points @ (2, -3, 0.5) + 7
    filled = sitk.GetImageFromArray(values.reshape(size[::-1]).astype(np.float32))
    filled.CopyInformation(image)
    return filled


def both(first: sitk.Image, second: sitk.Image, reference: int | None, **how: Any) -> Any:
    notes: dict[str, str] = {}
    result = alignment.channels((first, second), NAMES, reference, Convert(**how), notes)
    return result, notes


CT = plane((8, 9, 7), (1, 1, 2), (-4, -4, -6))
PET = plane((11, 11, 9), (2.1, 2.1, 3.3), (-6.5, -13.5, -14), angle=0.4)


def test_every_place_keeps_its_value() -> None:
    (ct, pet), notes = both(CT, PET, 0)
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(pet), sitk.GetArrayFromImage(CT), rtol=0, atol=1e-4
    )
    assert ct is CT
    assert (pet.GetOrigin(), pet.GetDirection()) == (CT.GetOrigin(), CT.GetDirection())
    assert notes == {"channel 1 (PET) grid": "resampled (linear); 0.0% outside its field of view"}


@pytest.mark.parametrize(("method", "order"), [("linear", 1), ("nearest", 0), ("bspline", 3)])
def test_the_interpolation_is_the_one_of_scipy(method: str, order: int) -> None:
    rng = np.random.default_rng(3)
    moving = sitk.GetImageFromArray(rng.integers(0, 999, (9, 11, 11)).astype(np.int16))
    moving.CopyInformation(PET)
    (_, got), _ = both(CT, moving, 0, interpolation=method)
    index = [
        PET.TransformPhysicalPointToContinuousIndex(CT.TransformIndexToPhysicalPoint((x, y, z)))
        for z, y, x in np.ndindex(7, 9, 8)
    ]
    wanted = map_coordinates(
        sitk.GetArrayFromImage(moving).astype(float),
        np.array(index).T[::-1],
        order=order,
        mode="mirror",
    )
    values = sitk.GetArrayFromImage(got)
    assert values.dtype == (np.int16 if method == "nearest" else np.float32)
    np.testing.assert_allclose(values.ravel(), wanted, atol=1e-2)


@pytest.mark.parametrize(("outside", "value"), [(None, -17.0), (-5.0, -5.0)])
def test_outside_the_field_of_view_there_is_what_was_decided(
    outside: float | None, value: float
) -> None:
    small = plane((4, 4, 4), (1, 1, 2), (0, 0, 0))
    (_, got), notes = both(CT, small, 0, outside=outside)
    values = sitk.GetArrayFromImage(got)
    wanted = float(sitk.GetArrayViewFromImage(small).min()) if outside is None else value
    inside = values[3:7, 4:8, 4:8]
    np.testing.assert_allclose(inside, sitk.GetArrayFromImage(CT)[3:7, 4:8, 4:8], atol=1e-4)
    assert np.count_nonzero(values == wanted) >= values.size - inside.size
    missing = 1 - inside.size / values.size
    assert f"{missing:.1%} outside" in notes["channel 1 (PET) grid"]


def test_without_a_reference_another_grid_is_refused() -> None:
    with pytest.raises(SourceError, match=r"channel 1 \(PET\): not on the grid") as caught:
        both(CT, PET, None)
    for key in ("convert.reference", "convert.interpolation", "convert.outside"):
        assert key in str(caught.value.hint)


def test_turned_channels_need_no_reference() -> None:
    turned = sitk.DICOMOrient(CT, "RIA")
    (_, got), notes = both(CT, turned, None)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(got), sitk.GetArrayFromImage(CT))
    assert got.GetDirection() == CT.GetDirection()
    assert notes == {"channel 1 (PET) grid": "axes in the order x, z, y; flipped along x, y, z"}


def test_the_reference_need_not_be_the_first() -> None:
    (ct, pet), _ = both(CT, PET, 1)
    assert pet is PET
    assert ct.GetSize() == PET.GetSize()


def test_channels_of_different_places_are_refused() -> None:
    far = plane((4, 4, 4), (1, 1, 1), (500, 0, 0))
    with pytest.raises(SourceError, match="doesn't overlap the reference's volume"):
        both(CT, far, 0)


def test_bspline_of_a_thin_image_is_refused() -> None:
    with pytest.raises(SourceError, match="bspline needs 4 voxels along each axis"):
        both(CT, plane((9, 9, 2), (2, 2, 8), (-9, -9, -5)), 0, interpolation="bspline")


def test_the_reference_is_a_channel(settings: Make) -> None:
    names = {0: "CT", 1: "PET"}
    assert settings(None, channels=names, how={"reference": "PET"}).reference == 1
    assert settings(None, channels=names, how={"reference": 0}).reference == 0
    assert settings(None, channels=names).reference is None
    for wrong in ("MR", 2):
        with pytest.raises(ValueError, match=r"convert\.reference .* is not .just. one of"):
            settings(None, channels=names, how={"reference": wrong})


def test_three_scanners_become_one_task(
    shared_data: Callable[[str], Path], settings: Make, core_catalog: Catalog, tmp_path: Path
) -> None:
    source = shared_data("sts") / "nifti"
    names = ("CT", "MR_T1", "PET")
    (tmp_path / "some").mkdir()
    for case in sorted(source.iterdir())[:2]:
        (tmp_path / "some" / case.name).symlink_to(case)
    made = settings(
        tmp_path / "some",
        channels=dict(enumerate(names)),
        labels={"background": 0, "tumour": 1},
        images=[f"{{case}}/{name}_image.nii.gz" for name in names],
        label="{case}/CT_mask.nii.gz",
        how={"reference": "CT", "outside": 0.0, "orient": "RAS"},
    )
    task = convert.run(made, core_catalog).task
    lines = (task / "nnplug_manifest.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 2
    for row in rows:
        folder = source / row["original"]
        grid = sitk.DICOMOrient(sitk.ReadImage(str(folder / "CT_image.nii.gz")), "RAS")
        mask = sitk.DICOMOrient(sitk.ReadImage(str(folder / "CT_mask.nii.gz")), "RAS")
        written = [
            sitk.ReadImage(str(task / "imagesTr" / f"{row['case']}_000{number}.nii.gz"))
            for number in range(3)
        ]
        np.testing.assert_array_equal(*map(sitk.GetArrayFromImage, (written[0], grid)))
        label = sitk.ReadImage(str(task / "labelsTr" / f"{row['case']}.nii.gz"))
        np.testing.assert_array_equal(*map(sitk.GetArrayFromImage, (label, mask)))
        for name, image in zip(names[1:], written[1:], strict=True):
            assert image.GetSize() == grid.GetSize()
            other = sitk.ReadImage(str(folder / f"{name}_image.nii.gz"))
            wanted = sitk.Resample(
                other, grid, sitk.Transform(), sitk.sitkLinear, 0, sitk.sitkFloat32
            )
            np.testing.assert_allclose(
                sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(wanted), atol=1e-3
            )
        assert any("outside its field of view" in note for note in row["provenance"].values())
