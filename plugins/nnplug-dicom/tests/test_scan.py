"""The quick walk over a header says what pydicom says, or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from nnplug.types import Source
from nnplug_dicom.converter import DicomConverter
from nnplug_dicom.headers.fields import read_fields
from nnplug_dicom.headers.probe import files_below, is_dicom
from nnplug_dicom.headers.scan import scan_fields


def test_both_ways_agree_on_every_real_file(data):
    quick = slow = 0
    for folder in data.iterdir():
        for path in (
            files_below(folder) if folder.name in ("sts",) or "dicom" in str(folder) else ()
        ):
            with Path(path).open("rb") as file:
                if not is_dicom(file.read(132)):
                    continue
                fields = scan_fields(file)
                if fields is None:
                    slow += 1
                    continue
                file.seek(0)
                assert fields == read_fields(file), path
                quick += 1
    assert quick > 20 * slow


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("syntax", ["ImplicitVRLittleEndian", "ExplicitVRLittleEndian"])
def test_sequences_are_skipped(tmp_path, write_series, syntax, undefined):
    def nest(number, data):
        inner, outer = pydicom.Dataset(), pydicom.Dataset()
        inner.CodeValue = "Rows"
        inner.Rows = 99
        outer.PurposeOfReferenceCodeSequence = [inner, inner]
        outer.PurposeOfReferenceCodeSequence.is_undefined_length = undefined
        outer.is_undefined_length_sequence_item = undefined
        data.ReferencedImageSequence = [outer, outer]
        data["ReferencedImageSequence"].is_undefined_length = undefined
        data.add_new(0x00290010, "LO", "PRIVATE")
        data.add_new(0x00291010, "OB", bytes(40_000))

    path = write_series(tmp_path, each=nest, syntax=getattr(pydicom.uid, syntax))[0]
    with path.open("rb") as file:
        quick = scan_fields(file)
        file.seek(0)
        assert quick == read_fields(file)
    assert quick is not None
    assert quick.values["Rows"] == "4"


@pytest.mark.parametrize("cut", [140, 200, 300, 420, 500])
def test_a_header_that_is_cut_off_is_left_to_pydicom(tmp_path, write_series, cut):
    path = write_series(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:cut])
    with path.open("rb") as file:
        assert scan_fields(file) is None


@pytest.mark.parametrize(
    ("syntax", "kind"), [("ExplicitVRBigEndian", ">i2"), ("DeflatedExplicitVRLittleEndian", "<i2")]
)
def test_syntaxes_that_are_left_to_pydicom(tmp_path, write_series, syntax, kind):
    pixels = np.arange(4 * 4 * 6).reshape(4, 4, 6)
    write_series(tmp_path, pixels=pixels.astype(kind), syntax=getattr(pydicom.uid, syntax))
    converter = DicomConverter()
    (case,) = converter.discover(Source(tmp_path, {0: "CT"}, unlabelled=True))
    values = sitk.GetArrayFromImage(converter.read(case).images[0])
    np.testing.assert_array_equal(values, pixels)


def test_text_beyond_ascii_is_left_to_pydicom(tmp_path, write_series):
    path = write_series(
        tmp_path, SpecificCharacterSet="ISO_IR 192", SeriesDescription="Schädel axial"
    )[0]
    with path.open("rb") as file:
        assert scan_fields(file) is None
        file.seek(0)
        assert read_fields(file).values["SeriesDescription"] == "Schädel axial"
