"""Files appear whole or not at all, and refusals of the system name the file."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from nnplug.data.files import content_hash, value_hash
from nnplug.errors import StorageError
from nnplug.whole import replacing, storage_errors, write_json, write_text


def test_a_file_replaces_the_old_one_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "no permission"),
    ],
)
def test_refusals_of_the_system_name_the_file(tmp_path: Path, number: int, text: str) -> None:
    path = tmp_path / "a"

    def fail() -> None:
        with replacing(path):
            raise OSError(number, "refused")

    with pytest.raises(StorageError, match=text) as caught:
        fail()
    assert caught.value.where == str(path)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a file is in the way") as caught:
        write_text(tmp_path / "file" / "below" / "a", "x")
    assert str(tmp_path / "file") in str(caught.value.where)


def test_other_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), storage_errors(tmp_path):
        (tmp_path / "absent").read_text()


def test_json_keeps_its_order_and_letters(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": "Übung", "a": [1]})
    assert (tmp_path / "a.json").read_text("utf-8").index("b") < 10
    assert "Übung" in (tmp_path / "a.json").read_text("utf-8")


def test_hashes_tell_contents_apart(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    (tmp_path / "b").write_bytes(b"x" * 3_000_000)
    (tmp_path / "c").write_bytes(b"x" * 2_999_999 + b"y")
    a, b, c = (content_hash(tmp_path / name) for name in "abc")
    assert a == b != c
    assert value_hash({"a": 1, "b": 2}) == value_hash({"b": 2, "a": 1}) != value_hash({"a": 1})
