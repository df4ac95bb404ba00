"""Which images of a series make one volume."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.types import Source
from nnplug_dicom.cases.index import group, images, read_tree
from nnplug_dicom.converter import DicomConverter
from nnplug_dicom.options import ChannelRule, DicomOptions

TWICE = (0.0, 5.0, 10.0, 0.0, 5.0, 10.0)


@pytest.fixture
def parts(tmp_path, write_series):
    """Write images at positions, each with tags, and return what the volumes are called."""

    def parts(positions, *tags):
        def each(number, data):
            for name, values in tags:
                value = values[number]
                if value is None:
                    continue
                if isinstance(name, tuple):
                    creator, tag, vr = name
                    data.add_new(tag & 0xFFFF0000 | 0x10, "LO", creator)
                    data.add_new(tag, vr, value)
                else:
                    setattr(data, name, value)

        pixels = np.zeros((len(positions), 4, 6), np.int16)
        write_series(tmp_path / "case", positions, each=each, pixels=pixels)
        found = group(images(read_tree(tmp_path).entries), tmp_path)
        return sorted((s.part, len(s.headers)) for s in found)

    return parts


@pytest.mark.parametrize(
    ("tag", "values", "names"),
    [
        ("DiffusionBValue", (0.0, 1000.0), ("b=0", "b=1000")),
        (("SIEMENS MR HEADER", 0x0019100C, "IS"), ("0", "800"), ("b=0", "b=800")),
        (
            ("GEMS_PARM_01", 0x00431039, "IS"),
            ([0, 8, 0, 0], [1000000600, 8, 0, 0]),
            ("b=0", "b=600"),
        ),
        ("EchoNumbers", ("1", "2"), ("echo 1", "echo 2")),
        ("EchoTime", ("4.6", "90"), ("TE 4.6 ms", "TE 90 ms")),
        ("TemporalPositionIdentifier", ("1", "2"), ("time 1", "time 2")),
        ("AcquisitionNumber", ("7", "8"), ("acquisition 7", "acquisition 8")),
        ("TriggerTime", ("0", "42.5"), ("trigger 0 ms", "trigger 42.5 ms")),
        (
            "ImageType",
            (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]),
            ("type ORIGINAL/PRIMARY/M", "type ORIGINAL/PRIMARY/P"),
        ),
    ],
)
def test_what_tells_volumes_at_one_place_apart(parts, tag, values, names):
    found = parts(TWICE, (tag, [values[0]] * 3 + [values[1]] * 3))
    assert found == [(name, 3) for name in names]


@pytest.mark.parametrize(
    ("positions", "values"),
    [
        ((0, 5, 10, 15), (1, 2, 3, 4)),
        ((0, 5, 10, 15), (1, 1, 2, 2)),
        ((0, 5, 10, 15), (1, 2, 1, 2)),
    ],
    ids=["each slice its own", "halves", "interleaved"],
)
@pytest.mark.parametrize("tag", ["AcquisitionNumber", "TriggerTime", "EchoTime"])
def test_what_varies_within_a_volume_does_not_split_it(parts, positions, values, tag):
    assert parts(positions, (tag, values)) == [("", 4)]


def test_numbers_that_vary_by_slice_do_not_hide_what_splits(parts):
    found = parts(
        TWICE,
        ("AcquisitionNumber", (1, 2, 3, 4, 5, 6)),
        ("TriggerTime", (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)),
        ("TemporalPositionIdentifier", (1, 1, 1, 2, 2, 2)),
    )
    assert found == [("time 1", 3), ("time 2", 3)]


@pytest.mark.parametrize("tag", ["DiffusionBValue", "EchoNumbers"])
def test_b_values_and_echoes_are_apart_wherever_they_lie(parts, tag):
    assert [n for _, n in parts((0, 10, 20, 5, 15), (tag, (1, 1, 1, 2, 2)))] == [3, 2]


def test_two_attributes_together(parts):
    found = parts(
        TWICE * 2,
        ("EchoTime", [4] * 3 + [9] * 3 + [4] * 3 + [9] * 3),
        ("TemporalPositionIdentifier", [1] * 6 + [2] * 6),
    )
    assert found == [(f"time {t}, TE {e} ms", 3) for t in (1, 2) for e in (4, 9)]


def test_what_nothing_tells_apart_is_refused(parts, tmp_path, refused):
    assert parts(TWICE) == [("", 6)]
    assert "3 positions are repeated" in refused(tmp_path)


def test_an_incomplete_last_time_point_is_its_own(parts):
    found = parts((0, 5, 10, 0, 5), ("TemporalPositionIdentifier", (1, 1, 1, 2, 2)))
    assert found == [("time 1", 3), ("time 2", 2)]


def test_a_scout_under_the_same_uid_stays_out(tmp_path, write_series):
    case = tmp_path / "case"
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesInstanceUID": "1.2.3"}
    write_series(case, (0, 5, 10), SeriesInstanceUID="1.2.3")
    write_series(case / "scout", (-40, 60), **scout)
    (found,) = DicomConverter().discover(Source(tmp_path, {0: "CT"}, unlabelled=True))
    assert DicomConverter().read(found).images[0].GetSize() == (6, 4, 3)


def test_an_original_comes_before_what_was_derived_from_it(tmp_path, write_series):
    case, derived = tmp_path / "case", ["DERIVED", "SECONDARY", "MPR"]
    write_series(case / "a", SeriesNumber=2, ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    write_series(case / "b", SeriesNumber=3, ImageType=derived)
    (found,) = DicomConverter().discover(Source(tmp_path, {0: "CT"}, unlabelled=True))
    assert found.images[0].parent.name == "a"
    write_series(case / "c", SeriesNumber=4, ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    (found,) = DicomConverter().discover(Source(tmp_path, {0: "CT"}, unlabelled=True))
    assert "3 series fit" in found.details["problem"]


def test_derived_images_under_the_uid_of_others_are_named(tmp_path, write_series):
    for folder, kind in (("a", "ORIGINAL"), ("b", "ORIGINAL"), ("c", "DERIVED")):
        turned = (1, 0, 0, 0, 0, 1) if folder == "b" else (1, 0, 0, 0, 1, 0)
        write_series(
            tmp_path / "case" / folder,
            orientation=turned,
            SeriesInstanceUID="1.2.3",
            ImageType=[kind, "PRIMARY"],
        )
    (found,) = DicomConverter().discover(Source(tmp_path, {0: "CT"}, unlabelled=True))
    assert "mixes 2 orientations under one" in found.details["problem"]


def test_a_derived_series_alone_is_taken(tmp_path, write_series):
    write_series(tmp_path / "case", ImageType=["DERIVED", "SECONDARY"])
    (found,) = DicomConverter().discover(Source(tmp_path, {0: "CT"}, unlabelled=True))
    assert not found.details.get("problem")


def test_captures_without_a_place_never_compete(tmp_path, write_series):
    def screenshot(_, data):
        data.Modality = "CT"
        data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
        del data.ImagePositionPatient, data.ImageOrientationPatient

    write_series(tmp_path / "case", SeriesNumber=1)
    write_series(tmp_path / "case", SeriesNumber=99, each=screenshot)
    (found,) = DicomConverter().discover(Source(tmp_path, {0: "CT"}, unlabelled=True))
    assert not found.details.get("problem")


def test_a_rule_chooses_a_part_and_dcm2niix_agrees(tmp_path, write_series):
    """dcm2niix writes one file an echo."""
    folders = (str(Path(sys.executable).parent), os.environ["PATH"])
    program = shutil.which("dcm2niix", path=os.pathsep.join(folders))
    if program is None:
        pytest.skip("dcm2niix is not installed")
    values = np.arange(6 * 4 * 6, dtype=np.int16).reshape(6, 4, 6)

    def echo(number, data):
        data.EchoNumbers, data.EchoTime = (1, "4.6") if number < 3 else (2, "9.2")
        data.InstanceNumber = number + 1
        data.Manufacturer = "GE"

    source = tmp_path / "source"
    write_series(
        source / "case", TWICE, pixels=values, each=echo, Modality="MR", MagneticFieldStrength="3"
    )
    (found,) = DicomConverter().discover(Source(source, {0: "MR"}, unlabelled=True))
    assert "2 volumes of one series fit" in found.details["problem"]
    assert "echo 1" in found.details["problem"]
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(
        [program, "-f", "echo%e", "-o", out, source], check=True, capture_output=True, timeout=60
    )
    for number in (1, 2):
        options = DicomOptions({"MR": ChannelRule(part=f"echo {number}")})
        converter = DicomConverter(options)
        (found,) = converter.discover(Source(source, {0: "MR"}, unlabelled=True))
        ours = converter.read(found).images[0]
        theirs = nibabel.load(out / f"echo{number}.nii")
        np.testing.assert_array_equal(
            sitk.GetArrayFromImage(ours), np.asarray(theirs.dataobj).T[:, ::-1]
        )


def test_one_position_for_all_is_refused(parts, tmp_path, refused):
    parts((0, 0, 0), ("AcquisitionNumber", (1, 2, 3)))
    assert "all 3 lie at one position" in refused(tmp_path)
