"""Written NIfTI, as another library (nibabel) reads it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.data.nifti import write
from nnplug.errors import StorageError

DIRECTION = (0.8, 0.6, 0.0, -0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def volume(dtype: Any = np.int16) -> sitk.Image:
    values = np.random.default_rng(3).integers(0, 200, (5, 6, 7)).astype(dtype)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.7, 1.1, 2.5))
    image.SetOrigin((-12.5, 30.0, 4.25))
    image.SetDirection(DIRECTION)
    return image


def expected_affine() -> Any:
    """From the definition: world = R diag(spacing) index + origin, then LPS to RAS."""
    lps = np.eye(4)
    lps[:3, :3] = np.reshape(DIRECTION, (3, 3)) @ np.diag((0.7, 1.1, 2.5))
    lps[:3, 3] = (-12.5, 30.0, 4.25)
    return np.diag((-1, -1, 1, 1)) @ lps


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_voxels_and_place_are_read_back_by_nibabel(tmp_path: Path, dtype: Any) -> None:
    write(volume(dtype), tmp_path / "a.nii.gz")
    read: Any = nibabel.load(tmp_path / "a.nii.gz")
    voxels = np.asanyarray(read.dataobj)
    assert voxels.dtype == dtype
    np.testing.assert_array_equal(voxels.transpose(), sitk.GetArrayFromImage(volume(dtype)))
    np.testing.assert_allclose(read.affine, expected_affine(), atol=1e-5)
    assert read.header["qform_code"] > 0


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("size", [(5, 6, 7), (1, 6, 7), (4, 1, 1), (1, 1, 1)])
def test_every_byte_is_as_itk_writes_it(tmp_path: Path, dtype: Any, size: tuple[int, ...]) -> None:
    image = volume(dtype)[: size[2], : size[1], : size[0]]
    write(image, tmp_path / "a.nii.gz")
    sitk.WriteImage(image, tmp_path / "a.nii")
    assert (
        gzip.decompress((tmp_path / "a.nii.gz").read_bytes()) == (tmp_path / "a.nii").read_bytes()
    )


def test_more_voxels_than_nifti_can_count_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="32768 voxels along an axis"):
        write(sitk.Image([32768, 1, 1], sitk.sitkUInt8), tmp_path / "a.nii.gz")
    assert not list(tmp_path.iterdir())


def test_equal_images_give_equal_bytes(tmp_path: Path) -> None:
    write(volume(), tmp_path / "a.nii.gz")
    write(volume(), tmp_path / "b.nii.gz")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_no_name_and_no_metadata_is_written(tmp_path: Path) -> None:
    image = volume()
    image.SetMetaData("0010|0010", "Doe^Jane")
    image.SetMetaData("aux_file", "Doe^Jane")
    image.SetMetaData("descrip", "Doe^Jane")
    image.SetMetaData("intent_name", "Doe^Jane")
    write(image, tmp_path / "a.nii.gz")
    packed = (tmp_path / "a.nii.gz").read_bytes()
    assert b"Doe" not in gzip.decompress(packed)
    assert packed[3] == 0, "gzip flags: no file name"
    assert packed[4:8] == bytes(4), "gzip time"


def test_nothing_else_stays_in_the_folder(tmp_path: Path) -> None:
    write(volume(), tmp_path / "a.nii.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]
