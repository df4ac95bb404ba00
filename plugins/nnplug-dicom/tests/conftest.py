from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import generate_uid

from nnplug.errors import SourceError
from nnplug.types import CaseSource, Source
from nnplug_dicom.converter import DicomConverter
from nnplug_dicom.headers.frames import expand
from nnplug_dicom.headers.header import read_header
from nnplug_dicom.options import DicomOptions
from nnplug_dicom.volumes.volume import Volume, read_series

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

WriteSeries = Callable[..., list[Path]]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has its own cache of headers."""
    folder: Path = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("NNPLUG_CACHE", str(folder))
    return folder


@pytest.fixture
def data() -> Path:
    """The folder of real data; it is not part of the project."""
    if not DATA.is_dir():
        pytest.skip("the real data (../shared/data) is not here")
    return DATA


@pytest.fixture
def write_series() -> WriteSeries:
    """Write one file a slice; ``positions`` are mm along the normal."""

    def write(
        folder: Path,
        positions: Sequence[float] = (0.0, 5.0, 10.0, 15.0),
        *,
        orientation: Sequence[float] = AXIAL,
        origin: Sequence[float] = (0.0, 0.0, 0.0),
        pixels: Any = None,
        spacing: Sequence[float] = (0.8, 0.5),
        each: Callable[[int, pydicom.Dataset], None] | None = None,
        **tags: Any,
    ) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        normal = np.cross(orientation[:3], orientation[3:])
        values = np.zeros((len(positions), 4, 6), np.int16) if pixels is None else pixels
        uid = tags.pop("SeriesInstanceUID", generate_uid())
        paths = []
        for number, along in enumerate(positions):
            meta = pydicom.dataset.FileMetaDataset()
            meta.TransferSyntaxUID = tags.get("syntax", pydicom.uid.ExplicitVRLittleEndian)
            data = pydicom.Dataset()
            data.file_meta = meta
            data.SOPClassUID = meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
            data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = generate_uid()
            if uid:
                data.SeriesInstanceUID = uid
            data.Modality, data.SeriesNumber, data.PatientID = "CT", 1, "P1"
            data.ImagePositionPatient = [
                f"{o + n * along:.10g}" for o, n in zip(origin, normal, strict=True)
            ]
            data.ImageOrientationPatient = [f"{v:.12g}" for v in orientation]
            data.PixelSpacing = [str(v) for v in spacing]
            data.Rows, data.Columns = values.shape[1:]
            data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
            data.BitsAllocated = data.BitsStored = values.dtype.itemsize * 8
            data.HighBit = data.BitsStored - 1
            data.PixelRepresentation = int(values.dtype.kind == "i")
            data.PixelData = values[number].tobytes()
            for name, value in tags.items():
                if name != "syntax":
                    setattr(data, name, value)
            if each:
                each(number, data)
            path = folder / f"{tags.get('SeriesNumber', 1)}_{number:03d}.dcm"
            data.save_as(path, enforce_file_format=True)
            paths.append(path)
        return paths

    return write


@pytest.fixture
def same_space() -> Callable[..., tuple[Any, Any]]:
    """Bring two images to the same order of axes and check that they then lie on one grid.

    Returns both as arrays, so that equal indices are equal places in the patient.
    """

    def bring(one: sitk.Image, other: sitk.Image, mm: float = 1e-3) -> tuple[Any, Any]:
        one, other = (sitk.DICOMOrient(i, "LPS") for i in (one, other))
        assert one.GetSize() == other.GetSize()
        for corner in ((0, 0, 0), tuple(n - 1 for n in one.GetSize())):
            places = [i.TransformIndexToPhysicalPoint(corner) for i in (one, other)]
            assert np.abs(np.subtract(*places)).max() < mm
        assert np.abs(np.subtract(one.GetSpacing(), other.GetSpacing())).max() < mm
        return sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(other)

    return bring


@pytest.fixture
def refused() -> Callable[..., str]:
    """Convert a folder that holds one case, and return why it was refused."""

    def refuse(root: Path, options: DicomOptions | None = None) -> str:
        converter = DicomConverter(options)
        (case,) = converter.discover(Source(root, {0: "image"}, unlabelled=True))
        with pytest.raises(SourceError) as caught:
            converter.read(case)
        assert case.name in str(caught.value)
        return str(caught.value)

    return refuse


@pytest.fixture
def volume_of() -> Callable[..., Volume]:
    """Read files as one volume: all their planes, whatever series they say they are."""

    def read(paths: Sequence[Path], **options: Any) -> Volume:
        headers = [h for path in paths if (found := read_header(path)) for h in expand(found)]
        return read_series(headers, DicomOptions(**options))

    return read


@pytest.fixture
def scan() -> Callable[[Path], tuple[CaseSource, sitk.Image]]:
    """The only case of a folder, and its image."""

    def found(root: Path) -> tuple[CaseSource, sitk.Image]:
        converter = DicomConverter(DicomOptions())
        (case,) = converter.discover(Source(root, {0: "image"}, unlabelled=True))
        return case, converter.read(case).images[0]

    return found


@pytest.fixture
def drawn() -> Callable[[sitk.Image], sitk.Image]:
    """A mask with the values 1 and 5 in boxes, nothing on the first plane and the last."""

    def mask(image: sitk.Image) -> sitk.Image:
        values = np.zeros(image.GetSize()[::-1], np.uint16)
        half = image.GetSize()[0] // 2
        for number, value in enumerate((1, 5)):
            values[1:, 1:3, number * half : number * half + 2] = value
        values[-1] = 0
        found = sitk.GetImageFromArray(values)
        found.CopyInformation(image)
        return found

    return mask


@pytest.fixture
def read_back() -> Callable[[Path, Path, Path], sitk.Image]:
    """The label that the converter makes of a series and the object that a writer made."""

    def read(root: Path, written: Path, folder: Path) -> sitk.Image:
        (folder / "case").mkdir(parents=True)
        for path in root.rglob("*"):
            if path.is_file():
                (folder / "case" / path.name).symlink_to(path)
        (folder / "case" / "label.dcm").symlink_to(written)
        labels = {"background": 0, "liver": 1, "vessel": 2}
        converter = DicomConverter(DicomOptions())
        (case,) = converter.discover(Source(folder, {0: "image"}, labels))
        label = converter.read(case).label
        assert label is not None
        return label

    return read


@pytest.fixture
def complete() -> Callable[[int, pydicom.Dataset], None]:
    """Gives a slice what the standard wants of a CT image besides its pixels."""

    def fill(number: int, data: pydicom.Dataset) -> None:
        data.PatientName, data.PatientBirthDate, data.PatientSex = "A^B", "", ""
        data.StudyInstanceUID, data.FrameOfReferenceUID = "1.2.3.4", "1.2.3.5"
        data.StudyDate = data.StudyTime = data.StudyID = data.AccessionNumber = ""
        data.ReferringPhysicianName, data.Manufacturer = "", "M"
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.InstanceNumber, data.SliceThickness = number + 1, "3"
        data.RescaleSlope, data.RescaleIntercept, data.RescaleType = "1", "0", "HU"
        data.WindowCenter, data.WindowWidth = "0", "100"

    return fill


@pytest.fixture
def multi_frame(
    write_series: WriteSeries, complete: Callable[[int, pydicom.Dataset], None], tmp_path: Path
) -> Callable[[Sequence[float]], Path]:
    """A folder with one multi-frame CT, its frames at these places (mm) along the normal."""

    def write(positions: Sequence[float]) -> Path:
        pixels = np.zeros((len(positions), 12, 16), np.int16)
        paths = write_series(tmp_path / "slices", positions, pixels=pixels, each=complete)
        frames = highdicom.legacy.LegacyConvertedEnhancedCTImage(
            [pydicom.dcmread(p) for p in paths], generate_uid(), 2, "1.2.9", 1
        )
        (tmp_path / "frames" / "case").mkdir(parents=True)
        frames.save_as(tmp_path / "frames" / "case" / "frames.dcm")
        return tmp_path / "frames"

    return write
