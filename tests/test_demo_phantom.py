"""The synthetic cohort: deterministic, complete, and on the grid that its labels are on."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from nnplug.demo.dicom import write_cohort
from nnplug.demo.phantom import LABELS, make_phantom
from nnplug.errors import PluginError, StorageError
from nnplug.types import Source


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def test_every_case_has_every_lobe_and_differs_from_the_others():
    phantoms = [make_phantom(0, case) for case in range(1, 15)]
    for p in phantoms:
        z, y, x = p.hu.shape
        assert 40 <= z <= 48
        assert 48 <= y <= 56
        assert 56 <= x <= 64
        assert p.hu.dtype == np.int16
        assert p.labels.dtype == np.uint8
        counts = np.bincount(p.labels.ravel())
        assert len(counts) == len(LABELS) + 1
        assert counts.min() > 1000
        assert p.spacing[2] > p.spacing[0]
        assert p.direction.T @ p.direction == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(p.direction) == pytest.approx(1)
        assert 2 <= np.degrees(np.arccos((np.trace(p.direction) - 1) / 2)) <= 8
    assert len({p.hu.tobytes() for p in phantoms}) == len(phantoms)


def test_intensity_alone_does_not_tell_the_lobes():
    hu, labels = (
        np.concatenate([getattr(make_phantom(0, case), name).ravel() for case in range(1, 7)])
        for name in ("hu", "labels")
    )
    counts = np.zeros((4096, 6))
    np.add.at(counts, (hu.astype(int) + 1024, labels), 1)
    balanced = counts / counts.sum(axis=0)
    best = balanced.argmax(axis=1)[hu.astype(int) + 1024]
    dice = [
        2 * np.sum((best == k) & (labels == k)) / (np.sum(best == k) + np.sum(labels == k))
        for k in LABELS
    ]
    assert np.mean(dice) < 0.5
    lobes = [hu[labels == k] for k in LABELS]
    assert np.ptp([v.mean() for v in lobes]) > 10
    assert max(v.std() for v in lobes) > 15


def test_sides_are_those_of_the_patient():
    p = make_phantom(0, 1)
    index = np.argwhere(p.labels > 0)[:, ::-1]
    x = (np.array(p.origin) + (index * p.spacing) @ p.direction.T)[:, 0]
    left = np.isin(p.labels[p.labels > 0], (1, 2))
    assert x[left].min() > x[~left].max()


def test_equal_arguments_give_equal_files(tmp_path):
    pytest.importorskip("pydicom")
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        write_cohort(tmp_path / name, cases=2, seed=seed)
    one, two, other = (digests(tmp_path / n) for n in ("one", "two", "other"))
    assert one == two
    assert not set(one.values()) & set(other.values())
    assert {"labels/lung_01.nii.gz", "images/lung_02/IM0001.dcm"} <= set(one)


def test_the_converter_reads_back_what_was_written(tmp_path):
    pytest.importorskip("pydicom")
    converter = pytest.importorskip("nnplug_dicom.converter").DicomConverter()
    write_cohort(tmp_path, cases=2)
    cases = converter.discover(Source(tmp_path, {0: "CT"}))
    assert [(c.name, c.subject) for c in cases] == [
        ("lung_01", "PHANTOM01"),
        ("lung_02", "PHANTOM02"),
    ]
    for number, found in enumerate(cases, start=1):
        case, phantom = converter.read(found), make_phantom(0, number)
        (image,), label = case.images, case.label
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), phantom.hu)
        assert image.GetPixelID() == sitk.sitkInt16
        np.testing.assert_array_equal(sitk.GetArrayFromImage(label), phantom.labels)
        for grid, within in ((image, 1e-6), (label, 1e-4)):
            assert grid.GetSpacing() == pytest.approx(phantom.spacing, abs=within)
            assert grid.GetOrigin() == pytest.approx(phantom.origin, abs=within)
            assert grid.GetDirection() == pytest.approx(phantom.direction.ravel(), abs=within)


def test_data_that_is_there_is_kept(tmp_path):
    pytest.importorskip("pydicom")
    (tmp_path / "images").mkdir()
    with pytest.raises(StorageError, match="there is data already"):
        write_cohort(tmp_path, cases=1)
    with pytest.raises(ValueError, match="from 1 to 99"):
        write_cohort(tmp_path / "new", cases=0)


def test_without_pydicom_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(PluginError, match="nnplug\\[dicom\\]"):
        write_cohort(tmp_path / "new", cases=1)
    assert not (tmp_path / "new").exists()
