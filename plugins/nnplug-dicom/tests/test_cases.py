"""Which cases are found, and which series becomes which channel."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.errors import ConfigError, SourceError
from nnplug.types import Layout, Source
from nnplug_dicom.converter import DicomConverter
from nnplug_dicom.options import ChannelRule, DicomOptions
from nnplug_dicom.plugin import nnplug_converters, nnplug_detect


def label(path, size=(6, 4, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.Image(*size, sitk.sitkUInt8), path)


def discover(root, channels=None, options=None, **more):
    return DicomConverter(options).discover(Source(root, channels or {0: "CT"}, **more))


def test_images_and_labels_folders(tmp_path, write_series):
    for name in ("a10", "a2"):
        write_series(tmp_path / "images" / name)
    label(tmp_path / "labels" / "a2.nii.gz")
    label(tmp_path / "labels" / "a3.mha")
    (tmp_path / "images" / "README.txt").write_text("no image")
    two, ten, three = discover(tmp_path)
    assert (two.name, two.label, two.subject) == (
        "a2",
        tmp_path / "labels" / "a2.nii.gz",
        "P1",
    )
    assert pickle.loads(pickle.dumps(two)) == two
    assert DicomConverter().read(two).label.GetSize() == (6, 4, 4)
    assert "there is no label" in ten.details["problem"]
    assert "no folder of images" in three.details["problem"]


def test_splits_of_nnunet_folders(tmp_path, write_series):
    write_series(tmp_path / "imagesTr" / "a")
    write_series(tmp_path / "imagesTs" / "b")
    label(tmp_path / "labelsTr" / "a.nii.gz")
    a, b = discover(tmp_path)
    assert (a.split, b.split, b.label) == ("train", "test", None)
    assert not b.details.get("problem")


def test_a_folder_a_case_with_junk_and_a_label(tmp_path, write_series):
    case = tmp_path / "case_1"
    write_series(case / "CT" / "image")
    label(case / "mask" / "organ.nrrd")
    for junk in ("LICENSE", "README.md", ".DS_Store", "DICOMDIR"):
        (case / junk).write_bytes(b"nothing of interest")
    (tmp_path / "LICENSE").write_text("free")
    (found,) = discover(tmp_path)
    assert found.name == "case_1"
    assert found.label == case / "mask" / "organ.nrrd"
    assert len(found.details["series"][0]) == 4


def test_slices_in_the_source_are_one_case(tmp_path, write_series):
    write_series(tmp_path / "P7")
    (tmp_path / "P7" / "LICENSE").write_text("free")
    (found,) = discover(tmp_path / "P7", unlabelled=True)
    assert found.name == "P7"


def test_patterns(tmp_path, write_series):
    for case in ("p1", "p2"):
        write_series(tmp_path / case / "first", PatientID="")
        write_series(tmp_path / case / "second", pixels=np.ones((4, 4, 6), np.int16))
        label(tmp_path / "truth" / f"{case}.nii.gz")
    layout = Layout(images=("{case}/second", "{case}/first"), label="truth/{case}.nii.gz")
    cases = discover(tmp_path, {0: "late", 1: "early"}, layout=layout)
    assert [c.name for c in cases] == ["p1", "p2"]
    images = DicomConverter().read(cases[0]).images
    assert [sitk.GetArrayFromImage(i).max() for i in images] == [1, 0]


def test_two_series_are_listed_and_a_rule_chooses(tmp_path, write_series):
    case = tmp_path / "case"
    write_series(case / "thin", SeriesNumber=3, SeriesDescription="Lung 1.0")
    write_series(case / "thick", SeriesNumber=4, SeriesDescription="Body 5.0")
    (found,) = discover(tmp_path, unlabelled=True)
    problem = found.details["problem"]
    assert "CT 'Lung 1.0' in thin (number 3, 4 images of 6x4)" in problem
    assert "CT 'Body 5.0' in thick (number 4, 4 images of 6x4)" in problem
    assert "converter.channels.CT.number=" in problem
    with pytest.raises(SourceError, match=r"case case: 2 series fit channel 0 'CT'"):
        DicomConverter().read(found)
    for rule in (
        ChannelRule(number=4),
        ChannelRule(description="body*"),
        ChannelRule(folder="THICK", modality="ct"),
    ):
        (found,) = discover(tmp_path, options=DicomOptions({"CT": rule}), unlabelled=True)
        assert found.images[0].parent == case / "thick"
    (found,) = discover(
        tmp_path, options=DicomOptions({"0": ChannelRule(number=9)}), unlabelled=True
    )
    assert "no series fits the rule for channel 0 'CT'" in found.details["problem"]


def test_names_of_channels_tell_series_apart(tmp_path, write_series):
    case = tmp_path / "case"
    write_series(case / "a", Modality="MR", SeriesDescription="T1w tra")
    write_series(case / "b", Modality="MR", SeriesDescription="T2 tse")
    write_series(case / "c", Modality="PT")
    (found,) = discover(tmp_path, {0: "PET", 1: "MR_T2", 2: "T1"}, unlabelled=True)
    assert [path.parent.name for path in found.images] == ["c", "b", "a"]


def test_a_channel_does_not_take_another_sequence(tmp_path, write_series):
    case = tmp_path / "case"
    write_series(case / "b", Modality="MR", SeriesDescription="T2 tse")
    write_series(case / "c", Modality="CT")
    (found,) = discover(tmp_path, {0: "CT", 1: "MR_T1"}, unlabelled=True)
    assert "no series fits channel 1 'MR_T1'" in found.details["problem"]


def test_a_rule_for_no_channel(tmp_path, write_series):
    write_series(tmp_path / "case")
    with pytest.raises(ConfigError, match="a rule for PET"):
        discover(tmp_path, options=DicomOptions({"PET": ChannelRule(number=1)}))


@pytest.mark.parametrize("content", [b"", b"\0" * 40, b"\0" * 128 + b"DICM" + b"\x02\0\0\0UL"])
def test_a_damaged_file_refuses_its_case_only(tmp_path, write_series, content):
    write_series(tmp_path / "good")
    bad = write_series(tmp_path / "bad")[0]
    bad.write_bytes(content)
    found, good = discover(tmp_path, unlabelled=True)
    assert bad.name in found.details["problem"]
    assert "problem" not in good.details


def test_sources_that_cannot_be_used(tmp_path, write_series):
    with pytest.raises(SourceError, match="no such folder"):
        discover(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no DICOM image"):
        discover(tmp_path / "empty")
    write_series(tmp_path / "unlabelled" / "case")
    with pytest.raises(SourceError, match="no labels that belong"):
        discover(tmp_path / "unlabelled")


def test_detection(tmp_path, write_series):
    write_series(tmp_path / "images" / "case")
    (tmp_path / "README").write_text("about")
    assert nnplug_detect(tmp_path) == ["dicom"]
    assert nnplug_detect(tmp_path / "absent") == []
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.nii").write_bytes(b"\x5c\x01\0\0" + bytes(400))
    assert nnplug_detect(tmp_path / "other") == []
    (spec,) = nnplug_converters()
    assert (spec.name, spec.options) == ("dicom", DicomOptions)


def test_options_are_checked():
    with pytest.raises(ValueError, match="min_slices is 1"):
        DicomOptions(min_slices=1)
    with pytest.raises(ValueError, match="at least one of"):
        ChannelRule()


def test_a_file_that_changes_between_finding_and_reading(tmp_path, write_series):
    paths = write_series(tmp_path / "case")
    (found,) = discover(tmp_path, unlabelled=True)
    size = paths[2].stat().st_size
    paths[2].write_bytes(bytes(2 * size))
    changed = rf"case case, channel 0, {paths[2].name}: is no longer the image that was found"
    with pytest.raises(SourceError, match=changed):
        DicomConverter().read(found)
    paths[2].write_text("something else, and no DICOM any more")
    with pytest.raises(SourceError, match=rf"{paths[2].name}: the file is cut off: 0 of"):
        DicomConverter().read(found)
    paths[2].unlink()
    with pytest.raises(SourceError, match=rf"{paths[2].name}: can't be read"):
        DicomConverter().read(found)


def test_a_damaged_uid_is_read_without_a_warning(tmp_path, write_series):
    for path in write_series(tmp_path / "case"):
        path.write_bytes(
            path.read_bytes().replace(b"1.2.840.10008.5.1.4.1.1.2", b";.2.840.10008.5.1.4.1.1.2")
        )
    (found,) = discover(tmp_path, unlabelled=True)
    assert DicomConverter().read(found).images[0].GetSize() == (6, 4, 4)
