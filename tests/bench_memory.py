"""What a worker needs at its peak, in volumes of its case; for Linux.

The peak is that of ``/proc/self/status``: ``ru_maxrss`` begins with that of the parent process.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SHAPE = (160, 400, 400)
SMALL = (4, 8, 8)

CONVERT = """
import re, sys
from pathlib import Path
from nnplug.catalog import Catalog
from nnplug.config.settings import Choice, Convert, Dataset, DataSettings, Paths
from nnplug.data.taskfolder import TaskFolder
from nnplug.stages import jobs, store

root, converter = Path(sys.argv[1]), sys.argv[2]
catalog = Catalog.build()

def convert(name):
    settings = DataSettings(
        dataset=Dataset(name="Toy", task_id=301, source=root / name, channels={0: "CT"},
                        labels={"background": 0, "organ": 1}),
        paths=Paths(root / "out"), converter=Choice(converter), remap=(), convert=Convert(),
        workers=1,
    )
    task = TaskFolder(root / "out" / name)
    task.begin()
    (job,) = jobs.find_jobs(settings, catalog, task)
    store.convert(job)
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

small = convert("small")
print(convert("large") - small)
"""


def peaks(folder: Path) -> Iterator[tuple[str, float]]:
    """What was converted, and the volumes of 16-bit integers that a worker needed for it."""
    for converter, what in (("nifti", "NIfTI with a label"), ("dicom", "DICOM with a label")):
        yield f"{what}, {' x '.join(map(str, SHAPE[::-1]))}", peak(folder / converter, converter)


def peak(root: Path, converter: str) -> float:
    """Convert a small and a large case in one process; how much more the large one took."""
    for name, shape in (("small", SMALL), ("large", SHAPE)):
        _write(root / name, shape, dicom=converter == "dicom")
    done = subprocess.run(
        [sys.executable, "-c", CONVERT, str(root), converter],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(int(done.stdout) / (2 * np.prod(SHAPE)))


def _write(root: Path, shape: tuple[int, int, int], *, dicom: bool) -> None:
    rng = np.random.default_rng(0)
    plane = rng.integers(-1000, 1000, shape[1:], np.int16)
    values = np.repeat(plane[np.newaxis], shape[0], axis=0)
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    if dicom:
        _write_series(values, root / "images" / "c")
    else:
        sitk.WriteImage(sitk.GetImageFromArray(values), root / "images" / "c.nii.gz", True, 1)
    label = sitk.GetImageFromArray((values > 0).astype(np.uint8))
    sitk.WriteImage(label, root / "labels" / "c.nii.gz", True, 1)


def _write_series(values: NDArray[np.int16], folder: Path) -> None:
    folder.mkdir()
    uid = generate_uid()
    for number, plane in enumerate(values):
        data = pydicom.Dataset()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, generate_uid()
        data.Modality, data.PatientID = "CT", "p"
        data.StudyInstanceUID = data.SeriesInstanceUID = uid
        data.ImagePositionPatient, data.PixelSpacing = [0, 0, number], [1, 1]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.Rows, data.Columns = plane.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 1
        data.PixelData = plane.tobytes()
        data.save_as(folder / f"{number}.dcm", enforce_file_format=True)
