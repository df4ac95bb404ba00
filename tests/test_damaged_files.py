"""Files with damaged headers: an error about that file, never a crash, a hang or a huge claim."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from nnplug.catalog import Catalog
from nnplug.config.load import choice_options
from nnplug.config.settings import Choice
from nnplug.errors import NnplugError
from nnplug.stages.case import Tool
from nnplug.types import Source

SHAPE = (4, 6, 8)
# Room for a damaged header that claims somewhat more; a claim beyond is a failure.
MOST_VOXELS = 1 << 26

ARRAY = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)


@dataclass(frozen=True)
class Format:
    """How to write a small source of one format, and which of its files to damage."""

    converter: str
    write: Callable[[Path], Path]
    header: int
    options: tuple[tuple[str, object], ...] = ()


def _itk(name: str) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        path = root / name
        sitk.WriteImage(sitk.GetImageFromArray(ARRAY), str(path))
        return path

    return write


def _png(root: Path) -> Path:
    (root / "c").mkdir()
    for number, plane in enumerate(ARRAY.astype(np.uint8)):
        sitk.WriteImage(sitk.GetImageFromArray(plane), str(root / "c" / f"s_{number}.png"))
    return root / "c" / "s_2.png"


def _dicom(root: Path) -> Path:
    series, frame = generate_uid(), generate_uid()
    (root / "c").mkdir()
    for number, plane in enumerate(ARRAY):
        data = pydicom.Dataset()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = CTImageStorage
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        data.SeriesInstanceUID, data.FrameOfReferenceUID = series, frame
        data.Modality, data.PatientID, data.InstanceNumber = "CT", "p", number
        data.ImagePositionPatient, data.PixelSpacing = [0, 0, 2 * number], [1, 1]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.Rows, data.Columns = plane.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
        data.RescaleSlope, data.RescaleIntercept = 1, 0
        data.PixelData = plane.tobytes()
        data.save_as(root / "c" / f"{number}.dcm", enforce_file_format=True)
    return root / "c" / "2.dcm"


FORMATS = {
    "nii": Format("nifti", _itk("c.nii"), 352),
    "nii.gz": Format("nifti", _itk("c.nii.gz"), 400),
    "mha": Format("mha", _itk("c.mha"), 300),
    "nrrd": Format("mha", _itk("c.nrrd"), 300),
    "png": Format("png", _png, 100, (("spacing", (1.0, 1.0, 1.0)),)),
    "dicom": Format("dicom", _dicom, 900),
}

damage = st.tuples(
    st.lists(st.tuples(st.integers(0, 1 << 12), st.integers(0, 255)), min_size=0, max_size=4),
    st.one_of(st.none(), st.integers(0, 1 << 12)),
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.build()


def _tool(form: Format, catalog: Catalog) -> Tool:
    entry = catalog.converters.get(form.converter)
    options = choice_options(
        Choice(form.converter, dict(form.options)), catalog.converters, "converter"
    )
    return Tool(entry.spec.name, entry.owner.version, entry.spec.target, options)


def _read_all(tool: Tool, root: Path) -> str:
    """What is wrong with the source, or "" if every case of it is read."""
    converter = tool.make()
    try:
        for found in converter.discover(Source(root, unlabelled=True)):
            if "problem" not in found.details:
                for image in converter.read(found).images:
                    assert image.GetNumberOfPixels() <= MOST_VOXELS
    except NnplugError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_undamaged_source_is_read(name: str, catalog: Catalog, tmp_path: Path) -> None:
    FORMATS[name].write(tmp_path)
    assert _read_all(_tool(FORMATS[name], catalog), tmp_path) == ""


@pytest.mark.parametrize("name", list(FORMATS))
def test_any_damage_is_an_error_or_harmless(
    name: str, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> None:
    form = FORMATS[name]
    tool = _tool(form, catalog)
    root = tmp_path_factory.mktemp("damaged")
    victim = form.write(root)
    whole = victim.read_bytes()

    @settings(
        max_examples=150,
        deadline=5000,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(damage)
    def attempt(change: tuple[list[tuple[int, int]], int | None]) -> None:
        changes, cut = change
        data = bytearray(whole[: len(whole) if cut is None else cut % len(whole)])
        for place, value in changes:
            if data:
                data[place % min(len(data), form.header)] = value
        victim.write_bytes(data)
        before = sorted(root.rglob("*"))
        assert "memory" not in _read_all(tool, root)
        assert sorted(root.rglob("*")) == before

    attempt()
    shutil.rmtree(root)


def _nifti_claim(whole: bytes) -> bytes:
    data = bytearray(whole)
    data[42:48] = np.array([10000, 10000, 10000], "<i2").tobytes()
    return bytes(data)


CLAIMS = {
    "nii": _nifti_claim,
    "nii.gz": lambda whole: gzip.compress(_nifti_claim(gzip.decompress(whole))),
    "mha": lambda whole: whole.replace(b"DimSize = 8 6 4", b"DimSize = 10000 10000 10000"),
    "nrrd": lambda whole: whole.replace(b"sizes: 8 6 4", b"sizes: 10000 10000 10000"),
}


@pytest.mark.parametrize("name", list(CLAIMS))
def test_a_claim_of_a_million_million_voxels(name: str, catalog: Catalog, tmp_path: Path) -> None:
    victim = FORMATS[name].write(tmp_path)
    claimed = CLAIMS[name](victim.read_bytes())
    assert claimed != victim.read_bytes()
    victim.write_bytes(claimed)
    problem = _read_all(_tool(FORMATS[name], catalog), tmp_path)
    assert victim.name in problem
    assert "10000" in problem
