"""MetaImage and NRRD files, and headers that ask for what they must not have."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.errors import SourceError
from nnplug.formats.itk import read_image
from nnplug.types import Layout, Source
from nnplug_mha.converter import MhaConverter
from nnplug_mha.plugin import nnplug_converters, nnplug_detect

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not here")


def volume() -> sitk.Image:
    values = np.random.default_rng(1).integers(0, 3000, (5, 6, 7)).astype(np.uint16)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.5, 0.75, 4.0))
    image.SetOrigin((1.0, -2.0, 3.0))
    image.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, -1))
    return image


def write(folder: Path, name: str, *, compress: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    sitk.WriteImage(volume(), str(path), compress)
    return path


def same(a: sitk.Image, b: sitk.Image) -> bool:
    return bool(
        a.GetSize() == b.GetSize()
        and np.allclose(a.GetSpacing(), b.GetSpacing())
        and np.allclose(a.GetOrigin(), b.GetOrigin())
        and np.allclose(a.GetDirection(), b.GetDirection())
        and np.array_equal(sitk.GetArrayViewFromImage(a), sitk.GetArrayViewFromImage(b))
    )


def edit(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))
    return path


def refusal(path: Path) -> SourceError:
    with pytest.raises(SourceError) as info:
        read_image(path)
    assert info.value.where == str(path)
    assert info.value.hint
    return info.value


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".nrrd", ".nhdr"])
def test_round_trip(tmp_path: Path, suffix: str, compress: bool) -> None:
    write(tmp_path / "images", f"c1{suffix}", compress=compress)
    write(tmp_path / "labels", "c1.mha")
    converter = MhaConverter()
    (source,) = converter.discover(Source(tmp_path))
    assert source.name == "c1"
    case = converter.read(pickle.loads(pickle.dumps(source)))
    assert same(case.images[0], volume())
    assert case.images[0].GetPixelID() == sitk.sitkUInt16
    assert case.label is not None
    assert same(case.label, volume())


def test_data_files_are_told_of(tmp_path: Path) -> None:
    write(tmp_path / "images", "c1.mhd")
    write(tmp_path / "labels", "c1.nhdr", compress=True)
    (source,) = MhaConverter().discover(Source(tmp_path))
    assert [p.name for p in source.details["files"]] == ["c1.raw", "c1.raw.gz"]


def test_label_as_seg_nrrd(tmp_path: Path) -> None:
    write(tmp_path / "images", "c1.nrrd")
    write(tmp_path / "labels", "c1.seg.nrrd")
    write(tmp_path / "cases" / "p1", "scan.nrrd")
    write(tmp_path / "cases" / "p1", "scan.seg.nrrd")
    (first,) = MhaConverter().discover(Source(tmp_path))
    (second,) = MhaConverter().discover(Source(tmp_path / "cases"))
    assert first.label is not None
    assert first.label.name == "c1.seg.nrrd"
    assert second.label is not None
    assert (second.images[0].name, second.label.name) == ("scan.nrrd", "scan.seg.nrrd")


@pytest.mark.parametrize(
    ("name", "compress"),
    [("a.mha", False), ("a.mha", True), ("a.nrrd", False), ("a.nrrd", True)],
)
def test_cut_files(tmp_path: Path, name: str, compress: bool) -> None:
    path = write(tmp_path, name, compress=compress)
    path.write_bytes(path.read_bytes()[:-20])
    refusal(path)


@pytest.mark.parametrize(
    ("name", "data", "compress"),
    [
        ("a.mhd", "a.raw", False),
        ("a.mhd", "a.zraw", True),
        ("a.nhdr", "a.raw", False),
        ("a.nhdr", "a.raw.gz", True),
    ],
)
def test_data_file_short_or_missing(tmp_path: Path, name: str, data: str, compress: bool) -> None:
    path = write(tmp_path, name, compress=compress)
    payload = tmp_path / data
    payload.write_bytes(payload.read_bytes()[:-20])
    error = refusal(path)
    assert "cut short" in error.problem or compress
    payload.unlink()
    assert f"{data!r} that the header names is missing" in refusal(path).problem


@pytest.mark.parametrize(
    "target",
    ["{secret}", "../secret.raw", "x/../../secret.raw", "C:\\secret.raw", "..\\secret.raw"],
)
@pytest.mark.parametrize("name", ["a.mhd", "a.mha", "a.nhdr", "a.nrrd"])
def test_data_files_elsewhere_are_not_read(tmp_path: Path, name: str, target: str) -> None:
    folder = tmp_path / "in"
    secret = tmp_path / "secret.raw"
    secret.write_bytes(sitk.GetArrayFromImage(volume()).tobytes())
    target = target.format(secret=secret)
    path = write(folder, "a.mhd" if "m" in name else "a.nhdr").rename(folder / name)
    key = b"ElementDataFile = a.raw" if "m" in name else b"data file: a.raw"
    edit(path, key, key.replace(b"a.raw", target.encode()))
    assert "outside of its folder" in refusal(path).problem


@pytest.mark.parametrize("value", ["LIST", "LIST 2D", "a%03d.raw 1 5 1"])
def test_lists_and_patterns_of_files_are_refused(tmp_path: Path, value: str) -> None:
    path = write(tmp_path, "a.mhd")
    edit(path, b"= a.raw", f"= {value}\n/etc/hostname\n".encode())
    assert "several files" in refusal(path).problem
    path = write(tmp_path, "a.nhdr")
    edit(path, b": a.raw", f": {value}\n/etc/hostname\n".encode())
    assert "several files" in refusal(path).problem


def test_data_file_in_a_folder_below_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "a.mhd")
    (tmp_path / "raw data").mkdir()
    (tmp_path / "a.raw").rename(tmp_path / "raw data" / "a.raw")
    edit(path, b"= a.raw", b"= raw data/a.raw")
    assert same(read_image(path), volume())


def test_headers_that_claim_too_much(tmp_path: Path) -> None:
    path = write(tmp_path, "a.mha")
    edit(path, b"DimSize = 7 6 5", b"DimSize = 10000 10000 10000")
    assert "10000 x 10000 x 10000" in refusal(path).problem
    edit(path, b"DimSize = 10000 10000 10000", b"DimSize = 1000 1000 1000")
    assert "cut short" in refusal(path).problem
    path = write(tmp_path, "b.mha", compress=True)
    edit(path, b"DimSize = 7 6 5", b"DimSize = 1000 1000 1000")
    assert "cut short" in refusal(path).problem


def test_shear_and_colour_and_nonsense(tmp_path: Path) -> None:
    path = write(tmp_path, "a.mha")
    edit(path, b"TransformMatrix = -1 0 0", b"TransformMatrix = -1 .5 0")
    assert "right angles" in refusal(path).problem
    path = write(tmp_path, "b.mha")
    edit(path, b"TransformMatrix = -1 0 0", b"TransformMatrix = 0 0 0")
    assert "right angles" in refusal(path).problem
    colour = tmp_path / "c.mha"
    sitk.WriteImage(sitk.Image([3, 3, 3], sitk.sitkVectorUInt8, 3), str(colour))
    assert "3 values" in refusal(colour).problem
    text = tmp_path / "d.mha"
    text.write_text("hello")
    assert "no ElementDataFile" in refusal(text).problem
    text = tmp_path / "d.nrrd"
    text.write_text("hello")
    assert "not a NRRD" in refusal(text).problem


def test_the_plugin_offers_and_detects(tmp_path: Path) -> None:
    (spec,) = nnplug_converters()
    assert (spec.name, spec.target) == ("mha", "nnplug_mha.converter:MhaConverter")
    assert list(nnplug_detect(tmp_path)) == []
    write(tmp_path / "images", "a.nrrd")
    assert list(nnplug_detect(tmp_path)) == ["mha"]


@needs_data
def test_hippocampus_equals_its_nifti() -> None:
    converter = MhaConverter()
    cases = converter.discover(Source(DATA / "hippocampus_mha"))
    assert len(cases) == 24
    for source in cases:
        case = converter.read(source)
        assert case.label is not None
        for image, kind in ((case.images[0], "images"), (case.label, "labels")):
            nifti = DATA / "hippocampus" / kind / f"{source.name}.nii.gz"
            assert same(image, read_image(nifti))


@needs_data
def test_nrrd_images_and_labels() -> None:
    layout = Layout(("{case}_image.nrrd",), "{case}_label.nrrd")
    converter = MhaConverter()
    found = converter.discover(Source(DATA / "nrrd_pyradiomics", layout=layout))
    cases = [converter.read(c) for c in found if "problem" not in c.details]
    assert [c.images[0].GetSize() for c in cases] == [
        (256, 256, 25),
        (256, 256, 23),
        (45, 120, 21),
    ]
    for case in cases:
        assert case.label is not None
        assert case.label.GetSize() == case.images[0].GetSize()
    assert cases[0].images[0].GetDirection() == (1, 0, 0, 0, -1, 0, 0, 0, 1)


@needs_data
def test_two_dimensional_mhd_with_raw() -> None:
    layout = Layout(("{case}.mhd",), "mask_{case}.mhd")
    converter = MhaConverter()
    folder = DATA / "mha_elastix" / "dox" / "exampleinput"
    found = {c.name: c for c in converter.discover(Source(folder, layout=layout))}
    case = converter.read(found["fixed"])
    assert case.label is not None
    assert case.images[0].GetSize() == case.label.GetSize() == (256, 256, 1)
    assert case.images[0].GetPixelID() == sitk.sitkInt16
    raw = np.fromfile(folder / "fixed.raw", dtype="<i2").reshape(1, 256, 256)
    assert np.array_equal(sitk.GetArrayFromImage(case.images[0]), raw)
