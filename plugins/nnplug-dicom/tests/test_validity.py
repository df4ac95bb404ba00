"""What is written obeys the standard, as dciodvfy of dicom3tools checks it."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from nnplug_dicom.writing.rtstruct import RtstructWriter
from nnplug_dicom.writing.seg import SegWriter

LABELS = {"liver": 1, "vessel": 5}


@pytest.fixture
def errors():
    """The errors that dciodvfy finds in a file of that kind."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian: apt-get install dicom3tools)")

    def check(path, kind):
        done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, timeout=60)
        said = (done.stdout + done.stderr).splitlines()
        assert kind in said, said
        return {line for line in said if line.startswith("Error")}

    return check


@pytest.mark.parametrize(
    ("writer", "written"), [(SegWriter, "Segmentation"), (RtstructWriter, "RTStructureSet")]
)
@pytest.mark.parametrize("kind", ["slices", "oblique", "frames", "sts", "empty"])
def test_there_are_no_errors(
    writer, written, kind, errors, write_series, complete, tmp_path, scan, drawn, request
):
    if kind == "frames":
        root = request.getfixturevalue("multi_frame")((6, 0, 9, 3))
    elif kind == "sts":
        root = request.getfixturevalue("data") / "sts" / "dicom" / "STS_002" / "CT" / "image"
    else:
        root = tmp_path / "series"
        turned = (0.8, 0.6, 0, -0.36, 0.48, 0.8) if kind == "oblique" else (1, 0, 0, 0, 1, 0)
        pixels = np.zeros((4, 12, 16), np.int16)
        write_series(root / "case", orientation=turned, pixels=pixels, each=complete)
    case, image = scan(root)
    mask = image * 0 if kind == "empty" else drawn(image)
    writer().write(mask, LABELS, case, 0, tmp_path / "a.dcm")
    # The study's own mistakes have to be repeated.
    repeated = errors(case.images[0], "CTImage") if kind == "sts" else set()
    assert errors(tmp_path / "a.dcm", written) <= repeated
