"""Conversion where nothing can be written, or not enough."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnplug.catalog import Catalog
from nnplug.config.settings import DataSettings
from nnplug.errors import StorageError
from nnplug.stages import convert

Cohort = Callable[..., Path]
Make = Callable[..., DataSettings]
MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode != 0:
        pytest.skip(f"a small disk can't be mounted: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_named_and_nothing_half_written_stays(
    tmp_path: Path, small_disk: Path, save: Any, settings: Make, core_catalog: Catalog
) -> None:
    """The first image fits, the second does not."""
    rng = np.random.default_rng(0)
    source = tmp_path / "source"
    for name, depth in (("p1", 2), ("p2", 30)):
        save(source / "images" / f"{name}.nii.gz", rng.random((depth, 100, 100)).astype("f4"))
        save(source / "labels" / f"{name}.nii.gz", np.ones((depth, 100, 100), np.uint8))
    with pytest.raises(StorageError, match="the disk is full") as caught:
        convert.run(settings(source, root=small_disk), core_catalog)
    assert "case p2" in str(caught.value.where)
    assert "Toy_001_0000.nii.gz" in str(caught.value.where)
    (task,) = small_disk.rglob("Task301_Toy")
    assert not (task / "dataset.json").exists()
    assert [path.name for path in (task / "imagesTr").iterdir()] == ["Toy_000_0000.nii.gz"]


def test_a_disk_that_has_space_again_takes_the_rest(
    tmp_path: Path, small_disk: Path, save: Any, settings: Make, core_catalog: Catalog
) -> None:
    source = tmp_path / "source"
    save(source / "images" / "p1.nii.gz", np.zeros((4, 5, 6), np.int16))
    save(source / "labels" / "p1.nii.gz", np.ones((4, 5, 6), np.uint8))
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(b"x" * 2 * MIB)
    with pytest.raises(StorageError, match="the disk is full"):
        convert.run(settings(source, root=small_disk / "root"), core_catalog)
    ballast.unlink()
    assert convert.run(settings(source, root=small_disk / "root"), core_catalog).converted == 1


def test_a_read_only_disk_is_named(
    small_disk: Path, cohort: Cohort, settings: Make, core_catalog: Catalog
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError, match="no permission to write here") as caught:
        convert.run(settings(cohort("p1"), root=small_disk / "root"), core_catalog)
    assert str(small_disk) in str(caught.value.where)
    assert "paths.root" in str(caught.value.hint)


def test_a_file_in_place_of_the_root_is_named(
    tmp_path: Path, cohort: Cohort, settings: Make, core_catalog: Catalog
) -> None:
    (tmp_path / "occupied").write_text("mine")
    with pytest.raises(StorageError, match="a file is in the way"):
        convert.run(settings(cohort("p1"), root=tmp_path / "occupied"), core_catalog)
    assert (tmp_path / "occupied").read_text() == "mine"
