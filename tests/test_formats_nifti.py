"""The NIfTI converter, and what reading an image refuses."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.errors import SourceError
from nnplug.formats.itk import read_case, read_image
from nnplug.formats.nifti import NiftiConverter
from nnplug.formats.plugin import nnplug_converters, nnplug_detect
from nnplug.types import CaseSource, Source

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not here")
Change = Callable[[bytearray], None]


def volume() -> sitk.Image:
    values = np.random.default_rng(0).integers(-1000, 2000, (20, 30, 40)).astype(np.int16)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((1.0, 2.0, 3.0))
    image.SetOrigin((-7.0, 8.0, 9.5))
    image.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, 1))
    return image


def same(a: sitk.Image, b: sitk.Image) -> bool:
    return bool(
        a.GetSize() == b.GetSize()
        and np.allclose(a.GetSpacing(), b.GetSpacing())
        and np.allclose(a.GetOrigin(), b.GetOrigin())
        and np.allclose(a.GetDirection(), b.GetDirection())
        and np.array_equal(sitk.GetArrayViewFromImage(a), sitk.GetArrayViewFromImage(b))
    )


def written(tmp_path: Path, change: Change | None = None, name: str = "a.nii") -> Path:
    """Write the volume as NIfTI after a change to the bytes; the header begins at byte 0."""
    plain = tmp_path / "plain.nii"
    sitk.WriteImage(volume(), str(plain))
    data = bytearray(plain.read_bytes())
    plain.unlink()
    if change:
        change(data)
    path = tmp_path / name
    path.write_bytes(gzip.compress(bytes(data)) if name.endswith(".gz") else bytes(data))
    return path


def put(layout: str, offset: int, *values: float) -> Change:
    return lambda data: struct.pack_into(f"<{layout}", data, offset, *values)


def dims(*sizes: int) -> Change:
    padded = [len(sizes), *sizes, *[1] * (7 - len(sizes))]
    return put("8h", 40, *padded)


def together(*changes: Change) -> Change:
    def change(data: bytearray) -> None:
        for one in changes:
            one(data)

    return change


def refusal(path: Path) -> SourceError:
    with pytest.raises(SourceError) as info:
        read_image(path)
    assert info.value.where == str(path)
    return info.value


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "A.NII.GZ"])
def test_voxels_geometry_and_type_are_kept(tmp_path: Path, name: str) -> None:
    path = tmp_path / name.lower()
    sitk.WriteImage(volume(), str(path))
    image = read_image(path.rename(tmp_path / name))
    assert same(image, volume())
    assert image.GetPixelID() == sitk.sitkInt16
    assert image.GetMetaDataKeys() == ()


def test_big_endian_is_measured_too(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    values = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    header = nibabel.Nifti1Header(endianness=">")
    path = tmp_path / "big.nii"
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4), header=header), path)
    assert path.read_bytes()[:4] == struct.pack(">i", 348)
    assert np.array_equal(sitk.GetArrayFromImage(read_image(path)), values.transpose(2, 1, 0))
    path.write_bytes(path.read_bytes()[:-1])
    assert "cut short" in refusal(path).problem


def test_nifti_2_is_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, put("i", 0, 540))
    assert "NIfTI-2" in refusal(path).problem


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.99])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_cut_files_are_refused(tmp_path: Path, name: str, keep: float) -> None:
    path = written(tmp_path, name=name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    assert "cut short" in refusal(path).problem


def test_whole_gzip_around_half_an_image_is_refused(tmp_path: Path) -> None:
    def halve(data: bytearray) -> None:
        del data[len(data) // 2 :]

    error = refusal(written(tmp_path, halve, "a.nii.gz"))
    assert "40 x 30 x 20" in error.problem
    assert "holds 24176" in error.problem


def test_a_flipped_byte_in_gzip_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, name="a.nii.gz")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert "damaged" in refusal(path).problem


def test_a_gzip_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, lambda d: d.extend(bytes(4 << 20)), "a.nii.gz"))
    assert "unpacks to more" in error.problem


def test_a_plain_file_named_gz_is_read(tmp_path: Path) -> None:
    path = written(tmp_path).rename(tmp_path / "a.nii.gz")
    assert same(read_image(path), volume())


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_header_that_claims_too_many_voxels(tmp_path: Path, name: str) -> None:
    error = refusal(written(tmp_path, dims(10000, 10000, 10000), name))
    assert "10000 x 10000 x 10000 voxels, more than" in error.problem


def test_a_header_that_claims_more_than_the_gzip_can_hold(tmp_path: Path) -> None:
    error = refusal(written(tmp_path, dims(2000, 2000, 2000), "a.nii.gz"))
    assert "cut short" in error.problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (dims(40, 30, 10, 2), "4 dimensions (40 x 30 x 10 x 2)"),
        (dims(40, 30, 10, 1, 2), "5 dimensions"),
        (dims(40), "1 dimensions"),
        (dims(40, -30, 20), "not a NIfTI file"),
        (together(dims(40, 30, 5), put("2h", 70, 32, 64)), "complex"),
        (together(dims(40, 30, 5), put("2h", 70, 128, 24)), "3 values"),
        (put("f", 80, 0.0), "voxel size in the header is 0 x 2 x 3"),
        (put("f", 84, float("nan")), "voxel size"),
        (put("f", 88, -3.0), "voxel size"),
        (put("4s", 344, b"ni1\0"), "not a NIfTI file"),  # type: ignore[arg-type]
        (put("f", 108, float("inf")), "not a NIfTI file"),
        (put("f", 108, 1e9), "cut short"),
        (put("2h", 70, 1536, 16), "can't be read"),
        (
            together(put("2h", 252, 0, 1), put("8f", 280, 1, 0.5, 0, 0, 0, 2, 0, 0)),
            "not at right angles",
        ),
    ],
)
def test_headers_that_are_refused(tmp_path: Path, change: Change, problem: str) -> None:
    error = refusal(written(tmp_path, change))
    assert problem in error.problem
    assert error.hint


def test_other_bad_files(tmp_path: Path) -> None:
    empty = tmp_path / "e.nii.gz"
    empty.touch()
    text = tmp_path / "t.nii"
    text.write_text("hello" * 200)
    other = tmp_path / "o.bmp"
    other.write_bytes(b"BM")
    assert "empty" in refusal(empty).problem
    assert "not a NIfTI file" in refusal(text).problem
    assert "ending" in refusal(other).problem
    assert "no such file" in refusal(tmp_path / "gone.nii").problem


def test_two_dimensions_become_one_slice(tmp_path: Path) -> None:
    flat = volume()[:, :, 3]
    sitk.WriteImage(flat, str(tmp_path / "a.nii"))
    image = read_image(tmp_path / "a.nii")
    assert image.GetSize() == (40, 30, 1)
    assert image.GetSpacing() == (1, 2, 1)
    assert image.GetDirection()[8] == 1
    assert np.array_equal(sitk.GetArrayFromImage(image)[0], sitk.GetArrayFromImage(flat))


def test_a_fourth_axis_of_one_is_dropped(tmp_path: Path) -> None:
    image = sitk.JoinSeries([volume()])
    assert image.GetDimension() == 4
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    assert same(read_image(tmp_path / "a.nrrd"), volume())


def test_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    image = read_image(written(tmp_path, put("2f", 112, 2.0, 1.0)))
    expected = sitk.GetArrayFromImage(volume()).astype(np.float32) * 2 + 1
    assert np.array_equal(sitk.GetArrayFromImage(image), expected)


def test_reading_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, put("2h", 252, 0, 0))
    read_image(path)
    assert capfd.readouterr() == ("", "")


def test_a_case_with_a_problem_is_not_read(tmp_path: Path) -> None:
    case = CaseSource("c", (written(tmp_path),), details={"problem": "no label"})
    with pytest.raises(SourceError, match="c: no label"):
        read_case(case)


def test_the_plugin_offers_and_detects_nifti(tmp_path: Path) -> None:
    (spec,) = nnplug_converters()
    assert (spec.name, spec.target) == ("nifti", "nnplug.formats.nifti:NiftiConverter")
    assert list(nnplug_detect(tmp_path)) == []
    (tmp_path / "images").mkdir()
    written(tmp_path / "images", name="c.nii.gz")
    assert list(nnplug_detect(tmp_path)) == ["nifti"]


def test_importing_the_converters_loads_nothing_heavy() -> None:
    code = (
        "import sys, nnplug.formats.nifti, nnplug.formats.itk, nnplug.formats.plugin;"
        "sys.exit(bool({'SimpleITK', 'numpy', 'torch', 'isal'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@needs_data
def test_hippocampus_is_read_as_simpleitk_reads_it() -> None:
    converter = NiftiConverter()
    cases = converter.discover(Source(DATA / "hippocampus"))
    for source in cases[::20]:
        case = converter.read(source)
        assert case.label is not None
        assert source.label is not None
        assert same(case.images[0], sitk.ReadImage(str(source.images[0])))
        assert same(case.label, sitk.ReadImage(str(source.label)))


@needs_data
def test_sarcoma_images_keep_their_own_grids() -> None:
    channels = {0: "CT", 1: "MR_T1", 2: "PET"}
    converter = NiftiConverter()
    case = converter.read(converter.discover(Source(DATA / "sts" / "nifti", channels))[0])
    assert [i.GetSize() for i in case.images] == [(161, 143, 48), (115, 90, 35), (30, 27, 48)]
    assert case.label is not None
    assert case.label.GetSize() == (161, 143, 48)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8"])
def test_values_that_are_not_finite_are_refused(
    tmp_path: Path, suffix: str, value: float, kind: str
) -> None:
    voxels = np.zeros((90, 80, 70), kind)
    path = tmp_path / f"scan{suffix}"
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)
    read_image(path)
    voxels[-1, -1, -1] = value
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)
    with pytest.raises(SourceError, match="not finite"):
        read_image(path)
