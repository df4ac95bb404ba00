"""Keys that aren't the format's own may name a patient."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from nnplug_mha.identifiers import identifiers


def test_what_simpleitk_writes_beside_the_grid_is_read(tmp_path: Path) -> None:
    image = sitk.Image([3, 4, 5], sitk.sitkInt16)
    for name in ("a.mha", "a.nrrd"):
        sitk.WriteImage(image, str(tmp_path / name))
        assert list(identifiers(tmp_path / name)) == []
    image.SetMetaData("PatientName", "Doe, Jane")
    for name in ("a.mha", "a.nrrd"):
        sitk.WriteImage(image, str(tmp_path / name))
        assert list(identifiers(tmp_path / name)) == [("PatientName", "Doe, Jane")]


def test_segments_and_other_files_give_nothing(tmp_path: Path) -> None:
    header = ("NRRD0004", "type: uchar", "content: Doe^Jane", "Segment0_Name:=liver", "", "x:=y")
    (tmp_path / "a.seg.nrrd").write_text("\n".join(header))
    assert list(identifiers(tmp_path / "a.seg.nrrd")) == [("content", "Doe^Jane")]
    (tmp_path / "a.txt").write_text("PatientName = Doe")
    assert list(identifiers(tmp_path / "a.txt")) == []
