"""Damaged files: an image or a refusal, nothing else."""

from __future__ import annotations

import random
import warnings

import pydicom
import pytest
from pydicom.uid import RLELossless

from nnplug.errors import SourceError
from nnplug_dicom.headers.frames import expand
from nnplug_dicom.headers.header import read_header
from nnplug_dicom.options import DicomOptions
from nnplug_dicom.volumes.volume import read_series


@pytest.fixture(params=["frames", "mosaic", "JPEG", "JPEG 2000", "RLE"])
def content(request, data, tmp_path) -> bytes:
    syntaxes = data / "dicom_transfer_syntaxes" / "In"
    frames = data / "dicom_seg" / "dcmqi" / "23x38x3" / "multiframe" / "mf.dcm"
    files = {"mosaic": "1.dcm", "JPEG": "5.dcm", "JPEG 2000": "9.dcm"}
    if request.param == "RLE":
        dataset = pydicom.dcmread(frames)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(tmp_path / "rle.dcm")
        return (tmp_path / "rle.dcm").read_bytes()
    path = syntaxes / files[request.param] if request.param in files else frames
    return path.read_bytes()


@pytest.mark.parametrize("seed", range(4))
def test_changed_bytes_are_read_or_refused(content, tmp_path, seed):
    generator, path, refused = random.Random(seed), tmp_path / "damaged.dcm", 0
    for _ in range(25):
        damaged = bytearray(content)
        reach = generator.choice([2000, len(damaged)])
        for _ in range(generator.choice([1, 3, 30])):
            damaged[generator.randrange(min(reach, len(damaged)))] = generator.randrange(256)
        if generator.random() < 0.2:
            del damaged[generator.randrange(len(damaged)) :]
        path.write_bytes(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's, about what it repairs
            try:
                header = read_header(path)
                if header is not None:
                    read_series(expand(header), DicomOptions(geometry="resample"))
            except SourceError:
                refused += 1
    assert refused
