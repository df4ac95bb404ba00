"""Values of NIfTI files, against nibabel; which types are refused."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from nnplug.errors import SourceError
from nnplug.formats.itk import data_file, outline, read_channels, read_image

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not here")
SHAPE = (4, 5, 6)


def values(kind: str) -> NDArray[Any]:
    random = np.random.default_rng(5)
    if np.dtype(kind).kind == "f":
        return random.normal(size=SHAPE).astype(kind)
    limits = np.iinfo(kind)
    return random.integers(limits.min, limits.max, SHAPE, dtype=kind, endpoint=True)


def array(image: sitk.Image) -> NDArray[Any]:
    """x, y, z as nibabel has it."""
    return np.asarray(sitk.GetArrayFromImage(image)).transpose(2, 1, 0)


def scaled(path: Path, stored: NDArray[Any], slope: float, intercept: float) -> Path:
    image = nib.Nifti1Image(stored, np.eye(4))
    image.header.set_slope_inter(slope, intercept)
    nib.save(image, path)
    data = bytearray(path.read_bytes())
    data[352:] = stored.tobytes(order="F")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_every_type_in_both_byte_orders(tmp_path: Path, kind: str, order: str) -> None:
    expected = values(kind)
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(kind)
    nib.save(nib.Nifti1Image(expected, np.eye(4), header), tmp_path / "a.nii")
    found = array(read_image(tmp_path / "a.nii"))
    assert found.dtype == kind
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (2, 3), (0.5, 0), (-1, 0), (1e-3, 7)])
def test_scaled_values_are_nibabels(
    tmp_path: Path, kind: str, slope: float, intercept: float
) -> None:
    stored = values(kind)
    if kind == "i4":
        stored //= 8
    path = scaled(tmp_path / "a.nii", stored, slope, intercept)
    found, expected = array(read_image(path)), nib.load(path).get_fdata()
    whole = float(slope).is_integer() and float(intercept).is_integer()
    assert np.issubdtype(found.dtype, np.integer) == (whole and kind[0] != "f")
    assert np.allclose(found, expected, rtol=1e-6, atol=1e-5)
    if np.issubdtype(found.dtype, np.integer):
        assert np.array_equal(found, expected)


def test_ct_as_bytes_with_an_intercept_stays_small(tmp_path: Path) -> None:
    path = scaled(tmp_path / "a.nii", values("u1"), 1, -1024)
    assert read_image(path).GetPixelID() == sitk.sitkInt16


@pytest.mark.parametrize("slope", [0.0, float("nan")])
def test_a_slope_that_means_nothing(tmp_path: Path, slope: float) -> None:
    path = scaled(tmp_path / "a.nii", values("i2"), 1, 0)
    data = bytearray(path.read_bytes())
    data[112:120] = np.array([slope, 5], "<f4").tobytes()
    path.write_bytes(data)
    assert np.array_equal(array(read_image(path)), values("i2"))
    data[112:120] = np.array([np.inf, 0], "<f4").tobytes()
    path.write_bytes(data)
    with pytest.raises(SourceError, match="scaled by inf"):
        read_image(path)


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (np.dtype("c8"), "complex"),
        (np.dtype("c16"), "complex"),
        (np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]), "RGB"),
        (np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1"), ("A", "u1")]), "RGBA"),
    ],
)
def test_types_that_are_refused_by_name(tmp_path: Path, kind: np.dtype[Any], problem: str) -> None:
    nib.save(nib.Nifti1Image(np.zeros(SHAPE, kind), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(SourceError, match=problem):
        read_image(tmp_path / "a.nii")


@pytest.mark.parametrize("zipped", [False, True])
def test_a_header_with_its_voxels_in_another_file(tmp_path: Path, zipped: bool) -> None:
    expected = values("i2")
    nib.save(nib.Nifti1Pair(expected, np.diag([1, 2, 3, 1])), tmp_path / "a.img")
    voxels = tmp_path / "a.img"
    if zipped:
        (tmp_path / "a.img.gz").write_bytes(gzip.compress(voxels.read_bytes()))
        voxels.unlink()
        voxels = tmp_path / "a.img.gz"
    assert data_file(tmp_path / "a.hdr") == voxels
    image = read_image(tmp_path / "a.hdr")
    assert np.array_equal(array(image), expected)
    assert image.GetSpacing() == (1, 2, 3)
    voxels.write_bytes(voxels.read_bytes()[:-9])
    with pytest.raises(SourceError, match="cut short"):
        read_image(tmp_path / "a.hdr")
    voxels.unlink()
    with pytest.raises(SourceError, match=r"a\.img that holds the voxels is missing"):
        read_image(tmp_path / "a.hdr")


def test_analyze_has_no_orientation(tmp_path: Path) -> None:
    nib.save(nib.AnalyzeImage(values("i2"), np.eye(4)), tmp_path / "a.img")
    with pytest.raises(SourceError, match="not a NIfTI file"):
        read_image(tmp_path / "a.hdr")


@pytest.mark.parametrize("shape", [(4, 5, 6, 3), (4, 5, 6, 1, 3)])
def test_volumes_along_a_further_axis(tmp_path: Path, shape: tuple[int, ...]) -> None:
    expected = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    path = tmp_path / "a.nii.gz"
    nib.save(nib.Nifti1Image(expected, np.diag([1, 2, 3, 1])), path)
    found = read_channels(path).images
    loaded = np.asanyarray(nib.load(path).dataobj).reshape(4, 5, 6, 3)
    assert all(np.array_equal(array(v), loaded[..., i]) for i, v in enumerate(found))
    assert {v.GetSpacing() for v in found} == {(1, 2, 3)}
    assert outline(path).volumes == len(found) == 3
    with pytest.raises(SourceError, match="dimensions"):
        read_image(path)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 1, 1, 1), (4, 5, 6, 1, 1, 1, 1)])
def test_flat_images_and_axes_of_one(tmp_path: Path, shape: tuple[int, ...]) -> None:
    expected = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    nib.save(nib.Nifti1Image(expected, np.eye(4)), tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    assert image.GetSize() == (*shape, 1)[:3]
    assert np.array_equal(array(image).ravel(), expected.ravel())


def test_outline_reads_no_voxel(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(values("i2"), np.diag([1, 2, 3, 1])), path)
    path.write_bytes(path.read_bytes()[:352])
    assert (outline(path).size, outline(path).spacing) == (SHAPE, (1, 2, 3))


@needs_data
def test_real_files_are_what_nibabel_reads() -> None:
    paths = [p for p in sorted(DATA.rglob("*.nii.gz")) if "rgb" not in p.parts]
    for path in paths[::12]:
        image, loaded = read_image(path), nib.load(path)
        assert np.array_equal(array(image), np.asanyarray(loaded.dataobj))
        last = tuple(n - 1 for n in image.GetSize())
        point = (loaded.affine @ (*last, 1))[:3] * (-1, -1, 1)
        assert np.allclose(image.TransformIndexToPhysicalPoint(last), point, atol=1e-3)
